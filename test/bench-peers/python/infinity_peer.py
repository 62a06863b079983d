"""Infinity with its optimum engine: infinity_peer.py FOLDER MODEL_FILE TEXTS BATCH_SIZE

It takes the file that is called model_quantized.onnx, and a folder by its relative path: whoever starts this copies
the folder so, and runs it there.
"""

import asyncio
import sys

from infinity_emb import AsyncEmbeddingEngine, EngineArgs

from rounds import serve, texts_of

_, _, texts, batch_size = sys.argv[1:5]
arguments = EngineArgs(
    model_name_or_path=".",
    engine="optimum",
    device="cpu",
    batch_size=int(batch_size),
    model_warmup=False,
    compile=False,
    bettertransformer=False,
)
engine = AsyncEmbeddingEngine.from_args(arguments)
loop = asyncio.new_event_loop()
loop.run_until_complete(engine.astart())


def embed(some: list[str]) -> int:
    vectors, _ = loop.run_until_complete(engine.embed(sentences=some))
    return len(vectors)


serve(texts_of(texts), embed)
loop.run_until_complete(engine.astop())
