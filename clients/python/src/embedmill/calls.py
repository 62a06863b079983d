"""Each verb as the request that it is: what the clients, the waiting and the awaiting one, have in common."""

from __future__ import annotations

import array
import base64
import json
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from .body import NDJSON
from .schemas import Collection, FileTarget, Job, JobPage, SearchResponse, StoredDocument

Answer = TypeVar("Answer")

DEFAULT_MODEL = "all-MiniLM-L6-v2"
#: The most that the server takes in one request.
MOST_INPUTS = 2048


def _whole(body: Any) -> Any:
    return body


@dataclass(frozen=True)
class Call(Generic[Answer]):
    method: str
    path: str
    #: Whether it changes nothing, or has the same effect however often it is asked.
    repeatable: bool
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    #: What of the answer's JSON is given.
    answer: Callable[[Any], Answer] = _whole


def part(name: str) -> str:
    return quote(name, safe="")


def given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def create_collection(name: str, profile: dict[str, Any] | None) -> Call[Collection]:
    return Call("POST", "/api/v1/collections", True, body={"name": name, "profile": profile or {}})


def list_collections() -> Call[list[Collection]]:
    return Call("GET", "/api/v1/collections", True, answer=lambda body: body["collections"])


def get_collection(name: str) -> Call[Collection]:
    return Call("GET", f"/api/v1/collections/{part(name)}", True)


def delete_collection(name: str) -> Call[None]:
    return Call("DELETE", f"/api/v1/collections/{part(name)}", False)


def get_document(collection: str, id: str, tenant: str | None) -> Call[StoredDocument]:
    path = f"/api/v1/collections/{part(collection)}/documents/{part(id)}"
    return Call("GET", path, True, query=given({"tenant": tenant}))


def _deletion(collection: str, selection: dict[str, Any], headers: dict[str, str], answer: Any) -> Call[Any]:
    path = f"/api/v1/collections/{part(collection)}/documents/delete"
    return Call("POST", path, True, body=selection, headers=headers, answer=answer)


def delete_documents(collection: str, selection: dict[str, Any]) -> Call[Job]:
    return _deletion(collection, selection, {"idempotency-key": str(uuid.uuid4())}, _whole)


def count_documents(collection: str, selection: dict[str, Any]) -> Call[int]:
    return _deletion(collection, {**selection, "dryRun": True}, {}, lambda body: body["documents"])


def list_jobs(query: dict[str, Any]) -> Call[JobPage]:
    return Call("GET", "/api/v1/jobs", True, query=given(query))


def get_job(id: str) -> Call[Job]:
    return Call("GET", f"/api/v1/jobs/{part(id)}", True)


def cancel_job(id: str) -> Call[Job]:
    return Call("POST", f"/api/v1/jobs/{part(id)}/cancel", False)


def retry_job(id: str, selection: dict[str, Any]) -> Call[Job]:
    return Call("POST", f"/api/v1/jobs/{part(id)}/retry", True, body=given(selection) or None)


def forget_job(id: str) -> Call[None]:
    return Call("DELETE", f"/api/v1/jobs/{part(id)}", False)


def search(collection: str, request: dict[str, Any]) -> Call[SearchResponse]:
    return Call("POST", f"/api/v1/collections/{part(collection)}/search", True, body=request)


def recommend(collection: str, request: dict[str, Any]) -> Call[SearchResponse]:
    return Call("POST", f"/api/v1/collections/{part(collection)}/recommend", True, body=request)


def begin_export(collection: str, request: dict[str, Any]) -> Call[Job]:
    headers = {"idempotency-key": str(uuid.uuid4())}
    return Call("POST", f"/api/v1/collections/{part(collection)}/exports", True, body=request, headers=headers)


def embeddings(texts: list[str], model: str, role: str | None, dimensions: int | None) -> Call[list[list[float]]]:
    body = {
        "model": model if role is None else f"{model}:{role}",
        "input": texts,
        "encoding_format": "base64",
        "dimensions": dimensions,
    }
    return Call(
        "POST",
        "/v1/embeddings",
        True,
        body=given(body),
        answer=lambda answer: [_vector(one["embedding"]) for one in answer["data"]],
    )


def _vector(encoded: str) -> list[float]:
    """Little-endian float32 in base64."""
    numbers = array.array("f", base64.b64decode(encoded))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def submit(
    target: str | FileTarget,
    media_type: str | None,
    gzip: bool,
    key: str,
    options: dict[str, Any],
) -> Call[Job]:
    """The request of an upload, but for its body. Options stand in the address: lists with commas, objects as JSON."""
    if isinstance(target, str):
        path, said = f"/api/v1/collections/{part(target)}/jobs", options
    else:
        path = "/api/v1/jobs"
        output = target["output"]
        said = {**options, "output": output["format"], "to": output.get("to"), "profile": target.get("profile")}
    headers = {"content-type": media_type or NDJSON, "idempotency-key": key}
    if gzip:
        headers["content-encoding"] = "gzip"
    return Call("POST", path, False, query={name: _said(value) for name, value in given(said).items()}, headers=headers)


def _said(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return ",".join(value)
    return json.dumps(value)


def submit_source(target: str | FileTarget, source: dict[str, Any], key: str, options: dict[str, Any]) -> Call[Job]:
    """The request that makes a job of what the server finds; asked again, it gives the same job."""
    path = f"/api/v1/collections/{part(target)}/jobs" if isinstance(target, str) else "/api/v1/jobs"
    body = {"source": source, **given(options), **({} if isinstance(target, str) else target)}
    return Call("POST", path, True, body=body, headers={"idempotency-key": key})


def begin_upload(filename: str, size: int) -> Call[Any]:
    body = {
        "filename": filename,
        "purpose": "batch",
        "bytes": size,
        "mime_type": "application/octet-stream",
        # What the server has of a file that became no job is gone after a day.
        "expires_after": {"anchor": "created_at", "seconds": 24 * 3600},
    }
    return Call("POST", "/v1/uploads", True, body=body)


def get_upload(id: str) -> Call[Any]:
    return Call("GET", f"/v1/uploads/{part(id)}", True)


def send_part(upload: str) -> Call[Any]:
    return Call("POST", f"/v1/uploads/{part(upload)}/parts", False)


def complete_upload(id: str, parts: list[str]) -> Call[Any]:
    return Call("POST", f"/v1/uploads/{part(id)}/complete", True, body={"part_ids": parts})


def delete_file(id: str) -> Call[None]:
    return Call("DELETE", f"/v1/files/{part(id)}", False)
