"""Times Infinity (its optimum engine) on a model's folder and a file of documents, beside embedmill on the same.

    pip install "infinity_emb[server,optimum]"
    cp -r models/all-MiniLM-L6-v2 /tmp/infinity && mv /tmp/infinity/model_int8.onnx /tmp/infinity/model_quantized.onnx
    cd /tmp/infinity && HF_HUB_OFFLINE=1 python .../docs/peers/infinity_rate.py documents.ndjson [BATCH_SIZE]
"""

import asyncio
import json
import sys
import time

from infinity_emb import AsyncEmbeddingEngine, EngineArgs
from tokenizers import Tokenizer

texts = [json.loads(line)["text"] for line in open(sys.argv[1], encoding="utf-8")]
batch_size = int(sys.argv[2]) if len(sys.argv) > 2 else 32
tokenizer = Tokenizer.from_file("tokenizer.json")
tokenizer.enable_truncation(256)
tokenizer.no_padding()
tokens = sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts))


async def main() -> None:
    # A folder by its relative path: an absolute one is looked for below itself.
    arguments = EngineArgs(
        model_name_or_path=".",
        engine="optimum",
        device="cpu",
        batch_size=batch_size,
        model_warmup=False,
        compile=False,
        bettertransformer=False,
    )
    engine = AsyncEmbeddingEngine.from_args(arguments)
    async with engine:
        await engine.embed(sentences=texts[:64])
        start = time.perf_counter()
        vectors, _ = await engine.embed(sentences=texts)
        seconds = time.perf_counter() - start
    count = len(vectors)
    print(f"Infinity, batches of {batch_size}: {tokens / seconds:.0f} tokens/s, {count / seconds:.0f} documents/s")


asyncio.run(main())
