"""LlamaIndex's classes for APIs that are not OpenAI's."""

from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.embeddings.cohere import CohereEmbedding
from llama_index.embeddings.ollama import OllamaEmbedding
from llama_index.postprocessor.cohere_rerank import CohereRerank
from llama_index.postprocessor.jinaai_rerank import JinaRerank
from reference import *


def batch(embedding):
    for text, got in zip(TEXTS, embedding.get_text_embedding_batch(TEXTS)):
        same(got, vector(text))
    same(embedding.get_query_embedding(QUESTION), vector(QUESTION))


def ranking(reranker):
    nodes = [NodeWithScore(node=TextNode(text=text)) for text in ABOUT]
    ranked = reranker.postprocess_nodes(nodes, query_str="whales")
    assert {node.node.text for node in ranked} == {ABOUT[0], ABOUT[2]}, ranked
    assert ranked[0].score >= ranked[1].score


def check_cohere():
    batch(CohereEmbedding(model_name=COHERE_ALIAS, api_key="none", base_url=URL, input_type="search_document"))


def check_cohere_by_roles():
    # Without an input type, the method determines the role.
    embedding = CohereEmbedding(model_name=COHERE_ALIAS, api_key="none", base_url=URL)
    same(embedding.get_query_embedding(QUESTION), vector(QUESTION))


def check_cohere_rerank():
    ranking(CohereRerank(model=MODEL, api_key="none", base_url=URL, top_n=2))


def check_jina_rerank():
    ranking(JinaRerank(model=MODEL, api_key="none", base_url=URL + "/v1", top_n=2))


def check_ollama():
    batch(OllamaEmbedding(model_name=MODEL, base_url=URL))
