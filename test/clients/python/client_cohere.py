import base64
import io
import json
import os
import struct
import tempfile

import cohere
from reference import *

TYPES = ["float", "int8", "uint8", "binary", "ubinary", "base64"]


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


def check_embed_of_version_2_in_all_types():
    client = cohere.ClientV2(api_key="none", base_url=URL)
    answer = client.embed(
        model=PREFIXED, texts=TEXTS, input_type="search_document", embedding_types=TYPES
    )
    assert answer.meta.billed_units.input_tokens > 0
    for n, text in enumerate(TEXTS):
        wanted = as_document(text)
        same(answer.embeddings.float_[n], wanted)
        packed = base64.b64decode(answer.embeddings.base64[n])
        same(struct.unpack(f"<{len(packed) // 4}f", packed), wanted)
        assert [one + 128 for one in answer.embeddings.int8[n]] == answer.embeddings.uint8[n]
        assert len(answer.embeddings.binary[n]) == len(answer.embeddings.ubinary[n]) == 48


def check_embed_of_version_1_and_many_texts():
    client = cohere.Client(api_key="none", base_url=URL)
    answer = client.embed(texts=TEXTS, model=PREFIXED, input_type="search_query")
    for text, got in zip(TEXTS, answer.embeddings):
        same(got, as_query(text))
    # The client sends these in parts of 96, at the same time.
    many = [f"text number {n}" for n in range(200)]
    by_type = client.embed(texts=many, model=MODEL, input_type="search_document", embedding_types=["float"])
    assert len(by_type.embeddings.float_) == 200
    same(by_type.embeddings.float_[150], vector(many[150]))


def check_embed_inputs_and_truncate():
    client = cohere.ClientV2(api_key="none", base_url=URL)
    inputs = [{"content": [{"type": "text", "text": TEXTS[0]}]}]
    got = client.embed(model=MODEL, inputs=inputs, input_type="search_document", embedding_types=["float"])
    same(got.embeddings.float_[0], vector(TEXTS[0]))
    long = "word " * 2000
    for truncate in ["START", "END"]:
        client.embed(model=MODEL, texts=[long], input_type="search_document", truncate=truncate)
    whole = lambda: client.embed(model=MODEL, texts=[long], input_type="search_document", truncate="NONE")
    assert isinstance(refused(whole, "256 tokens"), cohere.BadRequestError)


def check_rerank_of_objects_by_their_fields():
    client = cohere.Client(api_key="none", base_url=URL)
    documents = [{"title": "About", "body": text} for text in ABOUT]
    answer = client.rerank(model=MODEL, query="whales", documents=documents, rank_fields=["title", "body"])
    assert {one.index for one in answer.results[:2]} == {0, 2}, answer


def dataset(client, rows, **how):
    data = io.BytesIO("".join(json.dumps(row) + "\n" for row in rows).encode())
    data.name = "rows.jsonl"
    made = client.datasets.create(name="rows", data=data, type="embed-input", **how)
    return client.wait(made, interval=0.1, timeout=60).dataset


def check_an_embed_job_of_a_dataset():
    client = cohere.Client(api_key="none", base_url=URL)
    rows = [{"text": f"text number {n}", "n": n, "note": None if n % 2 else "even"} for n in range(1000)]
    source = dataset(client, rows, keep_fields=["n"], optional_fields=["note"])
    types = ["float", "int8", "binary"]
    made = client.embed_jobs.create(
        model=PREFIXED, dataset_id=source.id, input_type="search_document", embedding_types=types, truncate="END"
    )
    job = client.wait(made, interval=0.1, timeout=120)
    assert job.status == "complete" and not job.meta.warnings, job
    assert made.job_id in [one.job_id for one in client.embed_jobs.list().embed_jobs]
    output = client.datasets.get(id=job.output_dataset_id).dataset
    with tempfile.TemporaryDirectory() as folder:
        for format in ["jsonl", "csv", "avro"]:
            client.utils.save_dataset(output, os.path.join(folder, format), format=format)
        with open(os.path.join(folder, "jsonl")) as lines:
            read = [json.loads(line) for line in lines]
    assert [(row["text"], row["n"], row["note"]) for row in read] == [(r["text"], r["n"], r["note"]) for r in rows]
    for row in (read[0], read[999]):
        same(row["embeddings"]["float"], as_document(row["text"]))
        assert len(row["embeddings"]["int8"]) == 384 and len(row["embeddings"]["binary"]) == 48
        assert row["embeddings"]["ubinary"] is None
    client.datasets.delete(id=output.id)
    error = refused(lambda: client.datasets.get(id=output.id), output.id)
    assert isinstance(error, cohere.NotFoundError), error


def check_a_dataset_with_a_wrong_row():
    client = cohere.Client(api_key="none", base_url=URL)
    refused(lambda: dataset(client, [{"text": "a"}, {"txt": "b"}]), "row 2", "text")
    source = dataset(client, [{"text": "a"}, {"txt": "b"}], skip_malformed_input=True)
    assert "row 2" in source.validation_warnings[0], source
    cancelled = client.embed_jobs.create(model=MODEL, dataset_id=source.id, input_type="search_query")
    refused(lambda: client.embed_jobs.cancel(id="none"), "none")
    client.wait(cancelled, interval=0.1, timeout=60)
