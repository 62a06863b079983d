"""The types of requests and responses; the API's description, `/openapi.json`, says more about each."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

JobState = Literal["queued", "scanning", "running", "completed", "cancelled", "failed"]
FINISHED: frozenset[str] = frozenset({"completed", "cancelled", "failed"})


class _DocumentId(TypedDict):
    id: str | int


class Document(_DocumentId, total=False):
    """A document as it is submitted."""

    text: str
    image: str
    video: str
    title: str
    metadata: dict[str, Any]
    tenant: str
    vector: list[float]
    source: str
    deleted: bool


class Collection(TypedDict):
    name: str
    profile: dict[str, Any]
    dims: int
    points: int
    documents: int
    createdAt: str


class JobError(TypedDict):
    code: str
    message: str


class JobOutput(TypedDict):
    format: str
    bytes: int
    to: str | None


class Job(TypedDict):
    id: str
    collection: str
    state: JobState
    documents: int
    done: int
    stored: int
    skipped: int
    failed: int
    duplicates: int
    superseded: int
    deleted: int
    truncated: int
    chunks: int
    tokens: int
    retryOf: str | None
    error: JobError | None
    output: JobOutput | None
    createdAt: str
    finishedAt: str | None
    seconds: float


class JobPage(TypedDict):
    jobs: list[Job]
    #: What the next page is asked for with, as ``after``; None behind the last job.
    next: str | None


class _Report(TypedDict):
    line: int
    id: str | None
    code: str
    message: str
    retryable: bool


class DocumentReport(_Report, total=False):
    """A document that failed, or was stored with something to tell."""

    file: str
    by: int


class Hit(TypedDict):
    id: str
    score: float
    text: str
    title: str | None
    metadata: dict[str, Any]
    chunk: dict[str, Any]


class _Hits(TypedDict):
    hits: list[Hit]


class SearchResponse(_Hits, total=False):
    #: Set if the response had no room for all hits: repeat the request with this ``offset``.
    next: int


class StoredDocument(TypedDict):
    id: str
    tenant: str
    title: str | None
    text: str
    metadata: dict[str, Any]
    chunks: list[dict[str, Any]]


class FileTarget(TypedDict):
    """The file that a job's vectors go to, and how they are made."""

    output: dict[str, Any]
    profile: dict[str, Any]
