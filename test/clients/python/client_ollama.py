import asyncio

import ollama
from reference import *

client = ollama.Client(host=URL)


def check_embed():
    answer = client.embed(model=MODEL, input=TEXTS, keep_alive="5m")
    for text, got in zip(TEXTS, answer.embeddings):
        same(got, vector(text))
    assert answer.prompt_eval_count > 0 and answer.total_duration > 0
    same(client.embed(model=MODEL + ":latest", input=TEXTS[0]).embeddings[0], vector(TEXTS[0]))


def check_embeddings_as_they_were_before():
    same(client.embeddings(model=MODEL, prompt=TEXTS[0]).embedding, vector(TEXTS[0]))


def check_the_asynchronous_client():
    answer = asyncio.run(ollama.AsyncClient(host=URL).embed(model=MODEL, input=TEXTS[0]))
    same(answer.embeddings[0], vector(TEXTS[0]))


def check_errors_are_its_own():
    error = refused(lambda: client.embed(model="llama3.2", input="x"), MODEL)
    assert isinstance(error, ollama.ResponseError) and error.status_code == 404, error
    long = "word " * 2000
    client.embed(model=MODEL, input=long)
    refused(lambda: client.embed(model=MODEL, input=long, truncate=False), "context length")
