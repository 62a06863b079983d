"""A large file on its way to the server, part by part: what to ask and when to wait, for the waiting and the awaiting client.

Where the connection breaks, or the server is restarted, what is there is asked for, and no more than the part that was under
way is sent again.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

from . import calls
from .calls import Call
from .errors import EmbedmillError
from .schemas import FileTarget, Job

#: How much is sent at once, and lost where the connection breaks.
PART_BYTES = 16 * 1024 * 1024
#: The server joins so many at most.
_MOST_PARTS = 10_000
#: How long the server may stay away before it is given up, in seconds.
_PATIENCE_SECONDS = 300.0
_EXTENSIONS = {
    "application/x-ndjson": "ndjson",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "application/vnd.apache.parquet": "parquet",
}
#: What is said of how a file is read, and not of its job.
_READING = {"format", "columns", "metadata", "delimiter", "encoding", "listSeparator"}


@dataclass(frozen=True)
class Ask:
    """A request to make, whose answer or error is wanted."""

    call: Call[Any]
    #: Whether it is repeated where that is safe; else it takes as long as it takes.
    repeats: bool = True
    files: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Wait:
    seconds: float


Steps = Generator[Union[Ask, Wait], Any, Any]


def submission(
    target: str | FileTarget,
    path: Path,
    media_type: str,
    gzip: bool,
    key: str,
    options: dict[str, Any],
    part_bytes: int,
    pauses: tuple[float, ...],
) -> Steps:
    """Submits a file in parts as one job; gives None where that cannot be: of this type, by this key, with this server."""
    extension = _EXTENSIONS.get(media_type)
    if extension is None:
        return None
    # What is not there is said before the file is sent.
    if isinstance(target, str):
        yield Ask(calls.get_collection(target))
    size = path.stat().st_size
    try:
        upload = yield Ask(calls.begin_upload(f"documents.{extension}{'.gz' if gzip else ''}", size))
    except EmbedmillError as error:
        if error.code == "forbidden" or error.status == 404:
            return None
        raise
    parts: list[str] = []
    # A part may be there twice: then one that is not known may be any.
    is_doubtful = False
    step = max(part_bytes, -(-size // _MOST_PARTS))
    with path.open("rb") as file:
        for start in range(0, size, step):
            data = file.read(step)
            if len(data) != min(step, size - start):
                raise ValueError(f"{path} changed while it was sent; submit it again")
            part, tries = yield from _send(upload["id"], data, parts, is_doubtful, pauses)
            parts.append(part)
            is_doubtful = is_doubtful or tries > 1
    complete = Ask(calls.complete_upload(upload["id"], parts), repeats=False)
    file_id = (yield from _patiently(lambda: _one(complete), pauses))["file"]["id"]
    source = {"file": file_id, **{name: value for name, value in options.items() if name in _READING}}
    said = {name: value for name, value in options.items() if name not in _READING}
    # The server copies the file, as long as that takes.
    submit = Ask(calls.submit_source(target, source, key, said), repeats=False)
    try:
        job: Job = yield from _patiently(lambda: _one(submit), pauses)
    finally:
        try:
            yield Ask(calls.delete_file(file_id))
        except EmbedmillError:
            # It is gone after a day.
            pass
    return job


def _send(upload: str, data: bytes, known: list[str], is_doubtful: bool, pauses: tuple[float, ...]) -> Steps:
    """The id of the part, and how often it was sent."""
    tries = 0

    def once() -> Steps:
        nonlocal tries
        # Perhaps nothing but its answer was lost.
        if tries > 0 and not is_doubtful:
            there = yield Ask(calls.get_upload(upload))
            for part in there["parts"]:
                if part["bytes"] == len(data) and part["id"] not in known:
                    return part["id"]
        tries += 1
        sent = yield Ask(calls.send_part(upload), repeats=False, files={"data": ("part", data)})
        return sent["id"]

    part = yield from _patiently(once, pauses)
    return part, tries


def _one(ask: Ask) -> Steps:
    return (yield ask)


def _patiently(once: Any, pauses: tuple[float, ...]) -> Steps:
    """Tries what may be repeated until it succeeds, fails for good, or the server was away for too long."""
    waited, tries = 0.0, 0
    while True:
        try:
            return (yield from once())
        except EmbedmillError as error:
            if not error.retryable or not pauses:
                raise
            pause = pauses[min(tries, len(pauses) - 1)] if error.retry_after is None else error.retry_after
            waited, tries = waited + pause, tries + 1
            if waited > _PATIENCE_SECONDS:
                raise
        yield Wait(pause)
