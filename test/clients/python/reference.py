"""The reference for a client's answers: the same request, sent to the server with nothing but urllib."""

import json
import math
import os
import urllib.request

URL = os.environ["CLIENTS_URL"]
# The bundled model, and the same model with prefixes, which give each role its own vectors.
MODEL = "all-MiniLM-L6-v2"
PREFIXED = "prefixed"
QUERY_PREFIX = "query: "
DOCUMENT_PREFIX = "passage: "
# A name of an OpenAI model as an alias of the bundled model.
ALIAS = "text-embedding-3-small"
# A name of a Cohere model as another alias of it.
COHERE_ALIAS = "embed-english-v3.0"
QUESTION = "How do I reset my password?"
TEXTS = ["A whale and a captain.", "Naïve café, 日本", "Call me Ishmael."]
ABOUT = ["a whale in the sea", "a bank keeps money", "a captain hunts a whale"]


def post(path, body):
    request = urllib.request.Request(
        URL + path, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)


def vector(text):
    return post("/v1/embeddings", {"model": MODEL, "input": text})["data"][0]["embedding"]


def as_query(text):
    return vector(QUERY_PREFIX + text)


def as_document(text):
    return vector(DOCUMENT_PREFIX + text)


def same(got, wanted):
    """Fails unless two vectors are equal up to rounding."""
    got = [float(number) for number in got]
    assert len(got) == len(wanted), f"{len(got)} numbers, not {len(wanted)}"
    cosine = sum(a * b for a, b in zip(got, wanted)) / (math.hypot(*got) * math.hypot(*wanted))
    assert cosine > 0.99999, f"another vector: their cosine is {cosine}"


def refused(call, *says):
    """Fails unless the call raises an error with these texts."""
    try:
        call()
    except Exception as error:
        for one in says:
            assert one in str(error), f"{type(error).__name__} does not say {one!r}: {error}"
        return error
    raise AssertionError("it was not refused")
