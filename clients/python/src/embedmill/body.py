"""What is submitted, as the body of a request: bytes as they come, asked for when the connection has room for them."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Union

from .schemas import Document

#: A file, or bytes in a file's format, or documents, one by one.
Documents = Union[Path, Iterable[Union[Document, bytes]]]
#: As `Documents`, also from what is awaited, such as a database's cursor.
AsyncDocuments = Union[Documents, AsyncIterable[Union[Document, bytes]]]

NDJSON = "application/x-ndjson"
_TYPES = {".csv": "text/csv", ".tsv": "text/tab-separated-values", ".parquet": "application/vnd.apache.parquet"}
_CHUNK_BYTES = 64 * 1024
#: A body that nothing comes of for some seconds is refused.
_SLOW_SECONDS = 1.0


def is_repeatable(documents: AsyncDocuments) -> bool:
    """Whether it gives the same again, so that it can be sent again."""
    return isinstance(documents, (Path, list, tuple))


def media_type_of(documents: AsyncDocuments) -> str:
    return _TYPES.get(documents.suffix.lower(), NDJSON) if isinstance(documents, Path) else NDJSON


class _Lines:
    """Documents as lines, in chunks of some size."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._flushed = time.monotonic()

    def add(self, one: Document | bytes) -> bytes:
        """What is to be sent now; it may be nothing."""
        if isinstance(one, (bytes, bytearray, memoryview)):
            return self.rest() + bytes(one)
        self._held += json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        is_due = len(self._held) >= _CHUNK_BYTES or time.monotonic() - self._flushed > _SLOW_SECONDS
        return self.rest() if is_due else b""

    def rest(self) -> bytes:
        sent = bytes(self._held)
        self._held.clear()
        self._flushed = time.monotonic()
        return sent


def chunks_of(documents: Documents) -> Iterator[bytes]:
    if isinstance(documents, Path):
        with documents.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
        return
    lines = _Lines()
    for one in documents:
        if chunk := lines.add(one):
            yield chunk
    if chunk := lines.rest():
        yield chunk


async def achunks_of(documents: AsyncDocuments) -> AsyncIterator[bytes]:
    if not isinstance(documents, AsyncIterable):
        for chunk in chunks_of(documents):
            yield chunk
        return
    lines = _Lines()
    async for one in documents:
        if chunk := lines.add(one):
            yield chunk
    if chunk := lines.rest():
        yield chunk
