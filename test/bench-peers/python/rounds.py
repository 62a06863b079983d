"""The peer's side: prints a line of JSON once its model is loaded, then one for each line it receives, after a round over all texts."""

import json
import sys
import time
from collections.abc import Callable


def texts_of(path: str) -> list[str]:
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def serve(texts: list[str], embed: Callable[[list[str]], int]) -> None:
    """`embed` returns the number of vectors."""
    embed(texts[:64])
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        vectors = embed(texts)
        print(json.dumps({"seconds": time.perf_counter() - start, "vectors": vectors}), flush=True)
