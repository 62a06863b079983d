import litellm
from reference import *

litellm.suppress_debug_info = True


def embed(model=MODEL, **more):
    return litellm.embedding(model="openai/" + model, api_base=URL + "/v1", api_key="none", **more)


def check_texts():
    for text, one in zip(TEXTS, embed(input=TEXTS).data):
        same(one["embedding"], vector(text))


def check_queries_and_documents():
    same(embed(PREFIXED + ":query", input=[QUESTION]).data[0]["embedding"], as_query(QUESTION))
    same(embed(PREFIXED, input=[QUESTION]).data[0]["embedding"], as_document(QUESTION))


def check_errors():
    assert isinstance(refused(lambda: embed("none", input=["x"])), litellm.NotFoundError)
    assert isinstance(refused(lambda: embed(input=[" "])), litellm.BadRequestError)


def check_reranking_as_cohere():
    answer = litellm.rerank(
        model="cohere/" + MODEL, query="whales", documents=ABOUT, top_n=2, api_base=URL, api_key="none"
    )
    assert len(answer.results) == 2
    assert answer.results[0]["index"] in (0, 2), answer.results
