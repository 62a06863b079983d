import asyncio

from huggingface_hub import AsyncInferenceClient, InferenceClient
from reference import *

client = InferenceClient(model=URL)


def check_feature_extraction():
    same(client.feature_extraction(TEXTS[0])[0], vector(TEXTS[0]))
    for text, got in zip(TEXTS, client.feature_extraction(TEXTS)):
        same(got, vector(text))


def check_the_asynchronous_client():
    got = asyncio.run(AsyncInferenceClient(model=URL).feature_extraction(TEXTS[0]))
    same(got[0], vector(TEXTS[0]))


def check_what_it_can_ask_for():
    got = client.feature_extraction(
        TEXTS[0], normalize=True, prompt_name="query", truncate=True, truncation_direction="Right"
    )
    same(got[0], vector(TEXTS[0]))


def check_vectors_as_the_model_gives_them():
    got = [float(number) for number in client.feature_extraction(TEXTS[0], normalize=False)[0]]
    length = math.hypot(*got)
    assert abs(length - 1) > 0.1, f"a vector of length {length}"
    whole = vector(TEXTS[0])
    assert max(abs(one / length - other) for one, other in zip(got, whole)) < 1e-6
    one = client.feature_extraction(TEXTS[0], normalize=True)[0]
    # The client reads numbers as float32.
    assert max(abs(float(number) - other) for number, other in zip(one, whole)) < 1e-7


def check_the_end_of_a_text():
    words = " ".join(f"{number}" for number in range(2000))
    end = client.feature_extraction(words, truncate=True, truncation_direction="Left")[0]
    same(end, client.feature_extraction("x " + words, truncate=True, truncation_direction="Left")[0])
    start = client.feature_extraction(words, truncate=True)[0]
    refused(lambda: same(end, [float(number) for number in start]), "another vector")


def check_what_is_not_done_is_refused():
    refused(lambda: client.feature_extraction("x", prompt_name="s2p_query"), "prompt_name")
    refused(lambda: client.feature_extraction("word " * 2000, truncate=False), "inputs/0", "256 tokens")


def check_sentence_similarity():
    same_text, other = client.sentence_similarity(TEXTS[0], other_sentences=[TEXTS[0], ABOUT[1]])
    assert same_text > 0.999 > other
