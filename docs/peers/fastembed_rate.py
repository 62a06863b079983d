"""Times fastembed on a model's folder and a file of documents, beside embedmill on the same.

    pip install fastembed
    python docs/peers/fastembed_rate.py models/all-MiniLM-L6-v2 model_int8.onnx documents.ndjson [BATCH_SIZE]
"""

import json
import os
import sys
import time

from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType
from tokenizers import Tokenizer

folder, file, documents = sys.argv[1:4]
batch_size = int(sys.argv[4]) if len(sys.argv) > 4 else 256
TextEmbedding.add_custom_model(
    model="local/model",
    pooling=PoolingType.MEAN,
    normalization=True,
    sources=ModelSource(hf="local/model"),
    dim=384,
    model_file=file,
)
model = TextEmbedding("local/model", specific_model_path=folder, threads=os.cpu_count())
texts = [json.loads(line)["text"] for line in open(documents, encoding="utf-8")]
tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
tokenizer.enable_truncation(256)
tokenizer.no_padding()
tokens = sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts))

list(model.embed(texts[:64], batch_size=batch_size))
start = time.perf_counter()
count = sum(1 for _ in model.embed(texts, batch_size=batch_size))
seconds = time.perf_counter() - start
print(f"fastembed, batches of {batch_size}: {tokens / seconds:.0f} tokens/s, {count / seconds:.0f} documents/s")
