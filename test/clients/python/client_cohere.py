import cohere
from reference import *


def ranking(client, **more):
    answer = client.rerank(model=MODEL, query="whales", documents=ABOUT, **more)
    assert {one.index for one in answer.results[:2]} == {0, 2}, answer
    assert answer.results[0].relevance_score >= answer.results[1].relevance_score
    return answer


def check_rerank_of_version_2():
    client = cohere.ClientV2(api_key="none", base_url=URL)
    ranking(client)
    assert len(ranking(client, top_n=2, max_tokens_per_doc=4096).results) == 2


def check_rerank_of_version_1():
    client = cohere.Client(api_key="none", base_url=URL)
    answer = ranking(client, return_documents=True, top_n=3)
    assert answer.results[0].document.text == ABOUT[answer.results[0].index]


def check_errors_are_its_own():
    client = cohere.ClientV2(api_key="none", base_url=URL)
    error = refused(lambda: client.rerank(model="none", query="x", documents=["x"]), MODEL)
    assert isinstance(error, cohere.NotFoundError), error
    error = refused(lambda: client.rerank(model=MODEL, query=" ", documents=["x"]), "query")
    assert isinstance(error, cohere.BadRequestError), error
