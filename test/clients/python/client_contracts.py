"""For APIs without a client, or whose client's address cannot be changed: the requests of their documentation."""

from reference import *


def check_jina_rerank():
    # The example in the documentation of https://api.jina.ai/v1/rerank.
    body = {"model": MODEL, "query": "whales", "documents": ABOUT, "top_n": 2, "return_documents": True}
    answer = post("/v1/rerank", body)
    assert {one["index"] for one in answer["results"]} == {0, 2}, answer
    assert answer["results"][0]["document"]["text"] in ABOUT
    assert answer["usage"]["total_tokens"] > 0 and answer["model"] == MODEL


def check_vllm_and_infinity_rerank():
    answer = post("/rerank", {"model": MODEL, "query": "whales", "documents": ABOUT})
    assert [one["index"] for one in answer["results"]][2] == 1, answer


def check_vllm_score():
    answer = post("/score", {"model": MODEL, "text_1": "whales", "text_2": ABOUT})
    scores = [one["score"] for one in answer["data"]]
    assert min(scores) == scores[1], answer


def check_tei_tokens():
    (tokens,) = post("/tokenize", {"inputs": "Call me Ishmael."})
    assert tokens[0]["text"] == "[CLS]" and tokens[1]["text"] == "Call", tokens
    ids = [one["id"] for one in tokens]
    assert post("/decode", {"ids": ids}) == ["call me ishmael."]
    same(post("/embed", {"inputs": [ids]})[0], vector("Call me Ishmael."))
    (states,) = post("/embed_all", {"inputs": "Call me Ishmael."})
    assert len(states) == len(tokens) and len(states[0]) == 384
    assert post("/similarity", {"inputs": {"source_sentence": "a", "sentences": ["a"]}})[0] > 0.999
