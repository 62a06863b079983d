"""sentence-transformers with its ONNX backend: sentence_transformers_peer.py FOLDER MODEL_FILE TEXTS BATCH_SIZE"""

import sys

from sentence_transformers import SentenceTransformer

from rounds import serve, texts_of

folder, file, texts, batch_size = sys.argv[1:5]
model = SentenceTransformer(
    folder,
    backend="onnx",
    device="cpu",
    local_files_only=True,
    model_kwargs={"file_name": file, "provider": "CPUExecutionProvider", "export": False},
)
# The same limit as all other peers; the tokenizer's file pads each text to 128.
model.max_seq_length = 256
serve(texts_of(texts), lambda some: len(model.encode(some, batch_size=int(batch_size), normalize_embeddings=True)))
