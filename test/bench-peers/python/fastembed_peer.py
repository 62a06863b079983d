"""fastembed on a model's folder: fastembed_peer.py FOLDER MODEL_FILE TEXTS BATCH_SIZE"""

import os
import sys

from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType

from rounds import serve, texts_of

folder, file, texts, batch_size = sys.argv[1:5]
TextEmbedding.add_custom_model(
    model="local/model",
    pooling=PoolingType.MEAN,
    normalization=True,
    sources=ModelSource(hf="local/model"),
    dim=384,
    model_file=file,
)
model = TextEmbedding("local/model", specific_model_path=folder, threads=os.cpu_count())
serve(texts_of(texts), lambda some: sum(1 for _ in model.embed(some, batch_size=int(batch_size))))
