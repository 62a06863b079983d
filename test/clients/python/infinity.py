"""Infinity's own client."""

from infinity_client import Client
from infinity_client.api.default import embeddings, rerank
from infinity_client.models import OpenAIEmbeddingInputText, RerankInput
from reference import *

client = Client(base_url=URL, raise_on_unexpected_status=True)


def check_embeddings():
    answer = embeddings.sync(client=client, body=OpenAIEmbeddingInputText(input_=TEXTS, model=MODEL))
    for text, one in zip(TEXTS, answer.data):
        same(one.embedding, vector(text))


def check_rerank():
    answer = rerank.sync(client=client, body=RerankInput(query="whales", documents=ABOUT, model=MODEL, top_n=2))
    assert {one.index for one in answer.results} == {0, 2}, answer
    assert answer.results[0].relevance_score >= answer.results[1].relevance_score
