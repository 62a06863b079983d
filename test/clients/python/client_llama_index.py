from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference
from reference import *


def like(model):
    return OpenAILikeEmbedding(model_name=model, api_base=URL + "/v1", api_key="none", max_retries=0)


def check_openai():
    embedding = OpenAIEmbedding(model=ALIAS, api_base=URL + "/v1", api_key="none", max_retries=0)
    for text, got in zip(TEXTS, embedding.get_text_embedding_batch(TEXTS)):
        same(got, vector(text))
    same(embedding.get_query_embedding(QUESTION), vector(QUESTION))


def check_openai_like():
    for text, got in zip(TEXTS, like(MODEL).get_text_embedding_batch(TEXTS)):
        same(got, vector(text))


def check_openai_like_queries_by_the_models_name():
    same(like(PREFIXED + ":query").get_query_embedding(QUESTION), as_query(QUESTION))
    same(like(PREFIXED).get_text_embedding(QUESTION), as_document(QUESTION))


def check_text_embeddings_inference():
    embedding = TextEmbeddingsInference(model_name=MODEL, base_url=URL)
    for text, got in zip(TEXTS, embedding.get_text_embedding_batch(TEXTS)):
        same(got, vector(text))
    same(embedding.get_query_embedding(QUESTION), vector(QUESTION))
