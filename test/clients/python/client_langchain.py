from langchain_cohere import CohereEmbeddings, CohereRerank
from langchain_core.documents import Document
from langchain_ollama import OllamaEmbeddings
from langchain_openai import AzureOpenAIEmbeddings, OpenAIEmbeddings
from reference import *


def openai(model, **more):
    return OpenAIEmbeddings(model=model, base_url=URL + "/v1", api_key="none", max_retries=0, **more)


def check_openai_with_its_defaults_which_send_token_ids():
    embeddings = openai(ALIAS)
    for text, got in zip(TEXTS, embeddings.embed_documents(TEXTS)):
        same(got, vector(text))
    same(embeddings.embed_query(QUESTION), vector(QUESTION))


def check_openai_token_ids_of_no_alias_are_refused_with_what_to_set():
    refused(lambda: openai(MODEL).embed_query(QUESTION), "check_embedding_ctx_length=False")


def check_openai_with_texts():
    embeddings = openai(MODEL, check_embedding_ctx_length=False)
    for text, got in zip(TEXTS, embeddings.embed_documents(TEXTS)):
        same(got, vector(text))


def check_openai_queries_by_the_models_name():
    queries = openai(PREFIXED + ":query", check_embedding_ctx_length=False)
    same(queries.embed_query(QUESTION), as_query(QUESTION))
    documents = openai(PREFIXED, check_embedding_ctx_length=False)
    same(documents.embed_documents([QUESTION])[0], as_document(QUESTION))


def check_cohere_rerank():
    rerank = CohereRerank(model=MODEL, base_url=URL, cohere_api_key="none", top_n=2)
    documents = [Document(page_content=text) for text in ABOUT]
    found = rerank.compress_documents(documents, "whales")
    assert len(found) == 2
    assert "whale" in found[0].page_content, found


def check_cohere_embeddings_which_name_the_role():
    embeddings = CohereEmbeddings(model=PREFIXED, base_url=URL, cohere_api_key="none")
    same(embeddings.embed_query(QUESTION), as_query(QUESTION))
    same(embeddings.embed_documents([QUESTION])[0], as_document(QUESTION))


def check_ollama_embeddings():
    embeddings = OllamaEmbeddings(model=MODEL, base_url=URL)
    for text, got in zip(TEXTS, embeddings.embed_documents(TEXTS)):
        same(got, vector(text))
    same(embeddings.embed_query(QUESTION), vector(QUESTION))


def check_azure_openai_embeddings():
    embeddings = AzureOpenAIEmbeddings(
        azure_endpoint=URL,
        azure_deployment=MODEL,
        api_key="none",
        api_version="2024-10-21",
        check_embedding_ctx_length=False,
    )
    same(embeddings.embed_query(QUESTION), vector(QUESTION))
