"""Haystack's classes for Jina's API, at another address."""

import asyncio

from haystack import Document
from haystack.utils import Secret
from haystack_integrations.components.embedders.jina import JinaDocumentEmbedder, JinaTextEmbedder
from haystack_integrations.components.rankers.jina import JinaRanker
from reference import *

KEY = Secret.from_token("none")
EMBEDDINGS = URL + "/v1/embeddings"


def check_a_text():
    embedder = JinaTextEmbedder(api_key=KEY, model=MODEL, base_url=EMBEDDINGS)
    same(embedder.run(QUESTION)["embedding"], vector(QUESTION))
    same(asyncio.run(embedder.run_async(QUESTION))["embedding"], vector(QUESTION))


def check_the_role_by_the_task():
    query = JinaTextEmbedder(api_key=KEY, model=PREFIXED, task="retrieval.query", base_url=EMBEDDINGS)
    same(query.run(QUESTION)["embedding"], as_query(QUESTION))
    passage = JinaTextEmbedder(
        api_key=KEY, model=PREFIXED, task="retrieval.passage", late_chunking=False, base_url=EMBEDDINGS
    )
    same(passage.run(QUESTION)["embedding"], as_document(QUESTION))


def check_documents():
    embedder = JinaDocumentEmbedder(api_key=KEY, model=MODEL, base_url=EMBEDDINGS, progress_bar=False)
    found = embedder.run([Document(content=text) for text in TEXTS])["documents"]
    for text, document in zip(TEXTS, found):
        same(document.embedding, vector(text))


def check_a_ranking():
    ranker = JinaRanker(api_key=KEY, model=MODEL, top_k=2, base_url=URL + "/v1/rerank")
    found = ranker.run("whales", [Document(content=text) for text in ABOUT])["documents"]
    assert {document.content for document in found} == {ABOUT[0], ABOUT[2]}, found
    assert found[0].score >= found[1].score


def check_what_is_not_done_is_refused():
    # The client looks for `detail` in the answer.
    refused(lambda: JinaTextEmbedder(api_key=KEY, model=MODEL, task="separation", base_url=EMBEDDINGS).run("x"))
