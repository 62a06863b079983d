from haystack import Document
from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
from haystack.utils import Secret
from reference import *

KEY = Secret.from_token("none")


def check_openai_texts():
    embedder = OpenAITextEmbedder(api_key=KEY, api_base_url=URL + "/v1", model=MODEL)
    same(embedder.run(text=QUESTION)["embedding"], vector(QUESTION))


def check_openai_documents():
    embedder = OpenAIDocumentEmbedder(api_key=KEY, api_base_url=URL + "/v1", model=PREFIXED)
    documents = embedder.run(documents=[Document(content=text) for text in TEXTS])["documents"]
    for text, document in zip(TEXTS, documents):
        same(document.embedding, as_document(text))


def check_openai_queries_by_the_models_name():
    embedder = OpenAITextEmbedder(api_key=KEY, api_base_url=URL + "/v1", model=PREFIXED + ":query")
    same(embedder.run(text=QUESTION)["embedding"], as_query(QUESTION))
