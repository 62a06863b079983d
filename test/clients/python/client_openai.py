import asyncio
import io
import json
import time

import openai
from reference import *

client = openai.OpenAI(base_url=URL + "/v1", api_key="none", max_retries=0)


def create(**request):
    return client.embeddings.create(**({"model": MODEL} | request))


def check_texts_in_base64_which_is_its_default():
    answer = create(input=TEXTS)
    for text, one in zip(TEXTS, answer.data):
        same(one.embedding, vector(text))
    assert answer.usage.prompt_tokens > 0


def check_texts_as_numbers():
    same(create(input=TEXTS[0], encoding_format="float").data[0].embedding, vector(TEXTS[0]))


def check_the_asynchronous_client():
    async def ask():
        async with openai.AsyncOpenAI(base_url=URL + "/v1", api_key="none") as client:
            return await client.embeddings.create(model=MODEL, input=TEXTS[0])

    same(asyncio.run(ask()).data[0].embedding, vector(TEXTS[0]))


def check_queries_and_documents():
    same(create(model=PREFIXED, input=QUESTION).data[0].embedding, as_document(QUESTION))
    same(create(model=PREFIXED + ":query", input=QUESTION).data[0].embedding, as_query(QUESTION))
    body = {"input_type": "query"}
    same(create(model=PREFIXED, input=QUESTION, extra_body=body).data[0].embedding, as_query(QUESTION))


def check_token_ids_under_an_alias():
    ids = [4438, 656, 358, 7738, 856, 3636, 30]
    same(create(model=ALIAS, input=[ids]).data[0].embedding, vector(QUESTION))
    refused(lambda: create(input=[ids]), "check_embedding_ctx_length")


def check_fields_that_are_null():
    body = {"dimensions": None, "user": None, "encoding_format": None}
    same(create(input=TEXTS[0], extra_body=body).data[0].embedding, vector(TEXTS[0]))


def check_errors_are_its_own():
    assert isinstance(refused(lambda: create(input="")), openai.BadRequestError)
    assert isinstance(refused(lambda: create(model="none", input="x"), MODEL), openai.NotFoundError)
    assert refused(lambda: create(input="x", dimensions=7)).param == "dimensions"


def check_models():
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve(ALIAS).id == ALIAS


def check_ids_of_the_hub_are_names():
    name = "sentence-transformers/all-MiniLM-L6-v2"
    same(create(model=name, input=TEXTS[0]).data[0].embedding, vector(TEXTS[0]))
    assert name in [model.id for model in client.models.list()]


def check_azure_by_a_deployment():
    azure = openai.AzureOpenAI(
        azure_endpoint=URL, api_key="none", api_version="2024-10-21", max_retries=0
    )
    same(azure.embeddings.create(model=MODEL, input=TEXTS[0]).data[0].embedding, vector(TEXTS[0]))
    missing = refused(lambda: azure.embeddings.create(model="none", input="x"), MODEL)
    assert isinstance(missing, openai.NotFoundError), missing


def check_an_address_without_a_version():
    plain = openai.OpenAI(base_url=URL, api_key="none", max_retries=0)
    same(plain.embeddings.create(model=MODEL, input=TEXTS[0]).data[0].embedding, vector(TEXTS[0]))


def batch_of(lines, **options):
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    file = client.files.create(file=("requests.jsonl", io.BytesIO(content)), purpose="batch")
    return client.batches.create(
        input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h", **options
    )


def ended(batch):
    deadline = time.monotonic() + 240
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        assert time.monotonic() < deadline, batch
        time.sleep(0.2)
        batch = client.batches.retrieve(batch.id)
    return batch


def request(custom_id, **body):
    body = {"model": MODEL} | body
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/embeddings", "body": body}


def lines_of(file_id):
    return [json.loads(line) for line in client.files.content(file_id).text.splitlines()]


def check_a_batch_of_2000_lines():
    lines = [request(f"r{n}", input=f"whale number {n}") for n in range(1998)]
    lines += [request("several", input=TEXTS, encoding_format="base64"), request("bad", input="")]
    batch = ended(batch_of(lines, metadata={"shelf": "seven"}))
    assert batch.status == "completed" and batch.metadata == {"shelf": "seven"}, batch
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (2000, 1999, 1), counts
    output = {line["custom_id"]: line["response"] for line in lines_of(batch.output_file_id)}
    assert len(output) == 1999 and all(one["status_code"] == 200 for one in output.values())
    same(output["r77"]["body"]["data"][0]["embedding"], vector("whale number 77"))
    assert [one["index"] for one in output["several"]["body"]["data"]] == [0, 1, 2]
    [error] = lines_of(batch.error_file_id)
    assert error["custom_id"] == "bad" and error["response"]["status_code"] == 400, error
    assert batch.id in [one.id for one in client.batches.list(limit=1)]
    assert client.files.delete(batch.input_file_id).deleted


def check_a_batch_whose_lines_are_wrong():
    batch = ended(batch_of([request("twice", input="x"), request("twice", input="x")]))
    assert batch.status == "failed" and batch.errors.data[0].code == "duplicate_custom_id", batch
    missing = lambda: client.batches.create(
        input_file_id="file-none", endpoint="/v1/embeddings", completion_window="24h"
    )
    assert isinstance(refused(missing), openai.NotFoundError)
