"""The client that waits. `aio.py` is the same for those who await; a change here is one there."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, List

import httpx

from . import calls, uploads
from .body import Documents, chunks_of, is_repeatable, media_type_of
from .calls import Answer, Call
from .errors import PASSING, EmbedmillError, error_of, unreachable
from .schemas import (
    FINISHED,
    Collection,
    DocumentReport,
    FileTarget,
    Job,
    JobPage,
    SearchResponse,
    StoredDocument,
)

_ANSWER_SECONDS = 60.0
_PAUSES = (0.5, 2.0, 8.0)
_LONGEST_PAUSE = 60.0
_POLL_SECONDS = 1.0
_PATIENCE_SECONDS = 60.0
#: The server sends a comment more often than this when nothing happens.
_SILENCE_SECONDS = 45.0
#: What takes as long as it takes.
LASTING = httpx.Timeout(_ANSWER_SECONDS, read=None, write=None)
WATCHING = httpx.Timeout(_ANSWER_SECONDS, read=_SILENCE_SECONDS)


class Client:
    """A client of one embedmill; close it, or use it in a ``with``.

    What is safe to repeat is asked again after a pause where the connection broke or the server answered 429, 502, 503
    or 504; other requests on a 429 alone, which says that nothing was done.

    Raises `EmbedmillError`.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        http: httpx.Client | None = None,
        pauses: tuple[float, ...] = _PAUSES,
    ) -> None:
        self.url = url.rstrip("/")
        self.pauses = pauses
        self._headers = {} if api_key is None else {"authorization": f"Bearer {api_key}"}
        self._http = http or httpx.Client(timeout=_ANSWER_SECONDS)
        self.collections = Collections(self)
        self.documents = StoredDocuments(self)
        self.jobs = Jobs(self)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def submit(
        self,
        target: str | FileTarget,
        documents: Documents,
        *,
        media_type: str | None = None,
        gzip: bool = False,
        idempotency_key: str | None = None,
        part_bytes: int = uploads.PART_BYTES,
        **options: Any,
    ) -> Job:
        """Submits documents as one job, as they come, to the collection of a name or to a file.

        Where the connection breaks, a file of more than `part_bytes` goes on where it was, and a smaller one or a list is
        sent again under the same key, so that there is one job whatever the server had got. `options` are those of an upload's address: ``columns``, ``metadata``, ``mode``,
        ``sourceName``, ``maxDeleted``, ``dryRun``, ``maxFailures``, ``priority`` and so on.
        """
        key = idempotency_key or str(uuid.uuid4())
        media_type = media_type or media_type_of(documents)
        if isinstance(documents, Path) and documents.stat().st_size > part_bytes:
            steps = uploads.submission(target, documents, media_type, gzip, key, options, part_bytes, self.pauses)
            job = self._follow(steps)
            if job is not None:
                return job
        call = calls.submit(target, media_type, gzip, key, options)
        for pause in self.pauses if is_repeatable(documents) else ():
            try:
                return self._once(call, content=chunks_of(documents), timeout=LASTING)
            except EmbedmillError as error:
                if not error.retryable:
                    raise
                time.sleep(pause if error.retry_after is None else error.retry_after)
        return self._once(call, content=chunks_of(documents), timeout=LASTING)

    def watch(self, job: str) -> Iterator[Job]:
        """A job from now until it has finished, whenever it changed; the last is the finished one."""
        seen = time.monotonic()
        while True:
            try:
                for one in self._events(job):
                    seen = time.monotonic()
                    yield one
                    if one["state"] in FINISHED:
                        return
                one = self.jobs.get(job)
                seen = time.monotonic()
                yield one
                if one["state"] in FINISHED:
                    return
            except EmbedmillError as error:
                if not error.retryable or time.monotonic() - seen > _PATIENCE_SECONDS:
                    raise
            time.sleep(_POLL_SECONDS)

    def failures(self, job: str) -> Generator[DocumentReport, None, int]:
        """A job's documents that failed, and why; returns how many more there were that it does not name."""
        return self.jobs.failures(job)

    def search(self, collection: str, request: dict[str, Any]) -> SearchResponse:
        """The chunks that answer a question: by meaning, by words, or by both."""
        return self._ask(calls.search(collection, request))

    def recommend(self, collection: str, request: dict[str, Any]) -> SearchResponse:
        """The chunks that are like some examples and unlike others."""
        return self._ask(calls.recommend(collection, request))

    def embed(
        self,
        texts: list[str],
        *,
        model: str = calls.DEFAULT_MODEL,
        role: str | None = None,
        dimensions: int | None = None,
    ) -> list[list[float]]:
        """Embeds texts now, ahead of bulk jobs; a vector for each, of length 1."""
        vectors: list[list[float]] = []
        for start in range(0, len(texts), calls.MOST_INPUTS):
            some = texts[start : start + calls.MOST_INPUTS]
            vectors += self._ask(calls.embeddings(some, model, role, dimensions))
        return vectors

    def export(self, collection: str, request: dict[str, Any] | None = None) -> Iterator[bytes]:
        """A collection's documents, or their points with vectors, as the bytes of a file."""
        job = self._ask(calls.begin_export(collection, request or {}))
        for job in self.watch(job["id"]):
            pass
        if job["state"] != "completed":
            error = job["error"] or {"code": "job_not_finished", "message": f"the export was {job['state']}"}
            raise EmbedmillError(error["code"], error["message"])
        yield from self.jobs.output(job["id"])

    def _ask(self, call: Call[Answer]) -> Answer:
        for pause in self.pauses:
            try:
                return self._once(call)
            except EmbedmillError as error:
                may_pass = call.repeatable and (error.code == "unreachable" or error.status in PASSING)
                wait = pause if error.retry_after is None else error.retry_after
                if not (may_pass or error.status == 429) or wait > _LONGEST_PAUSE:
                    raise
                time.sleep(wait)
        return self._once(call)

    def _follow(self, steps: uploads.Steps) -> Any:
        """Does what steps say, until they end; gives what they give."""
        answer, error = None, None
        while True:
            try:
                step = steps.send(answer) if error is None else steps.throw(error)
            except StopIteration as end:
                return end.value
            answer, error = None, None
            if isinstance(step, uploads.Wait):
                time.sleep(step.seconds)
                continue
            try:
                if step.repeats:
                    answer = self._ask(step.call)
                else:
                    answer = self._once(step.call, timeout=LASTING, **({"files": step.files} if step.files else {}))
            except EmbedmillError as failed:
                error = failed

    def _once(self, call: Call[Answer], **sent: Any) -> Answer:
        if call.body is not None:
            sent["json"] = call.body
        try:
            response = self._http.request(
                call.method,
                f"{self.url}{call.path}",
                params=call.query,
                headers={**self._headers, **call.headers},
                **sent,
            )
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
        if response.is_error:
            raise error_of(self.url, response)
        if response.status_code == 204:
            return call.answer(None)
        try:
            return call.answer(response.json())
        except ValueError as error:
            message = f"{self.url} does not answer as embedmill's API does; is it the right address and version?"
            raise EmbedmillError("unexpected_answer", message) from error

    def _stream(self, path: str, timeout: httpx.Timeout, headers: dict[str, str] | None = None) -> Any:
        return self._http.stream(
            "GET", f"{self.url}{path}", headers={**self._headers, **(headers or {})}, timeout=timeout
        )

    def _lines(self, path: str, timeout: httpx.Timeout, media_type: str) -> Iterator[str]:
        """The lines of an answer as they come; none where it is of another kind."""
        try:
            with self._stream(path, timeout) as response:
                if response.is_error:
                    response.read()
                    raise error_of(self.url, response)
                if response.headers.get("content-type", "").startswith(media_type):
                    yield from response.iter_lines()
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error

    def _events(self, job: str) -> Iterator[Job]:
        path = f"/api/v1/jobs/{calls.part(job)}/events"
        for line in self._lines(path, WATCHING, "text/event-stream"):
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


class Collections:
    """Named sets of vectors with a profile."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(self, name: str, profile: dict[str, Any] | None = None) -> Collection:
        """Creates it, or finds it with the same profile."""
        return self._client._ask(calls.create_collection(name, profile))

    def list(self) -> List[Collection]:
        return self._client._ask(calls.list_collections())

    def get(self, name: str) -> Collection:
        return self._client._ask(calls.get_collection(name))

    def delete(self, name: str) -> None:
        """Deletes it with all its vectors, and cancels its jobs."""
        self._client._ask(calls.delete_collection(name))


class StoredDocuments:
    """The stored documents."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, collection: str, id: str, *, tenant: str | None = None) -> StoredDocument:
        return self._client._ask(calls.get_document(collection, id, tenant))

    def delete(self, collection: str, selection: dict[str, Any]) -> Job:
        """Deletes them, by ``ids`` or by a ``filter``, as a job."""
        return self._client._ask(calls.delete_documents(collection, selection))

    def count(self, collection: str, selection: dict[str, Any]) -> int:
        """The number of documents that `delete` would delete now."""
        return self._client._ask(calls.count_documents(collection, selection))


class Jobs:
    """Bulk submissions, and what became of them."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self, query: dict[str, Any] | None = None) -> JobPage:
        """A page of them, the newest first."""
        return self._client._ask(calls.list_jobs(query or {}))

    def get(self, id: str) -> Job:
        return self._client._ask(calls.get_job(id))

    def finished(self, id: str) -> Job:
        """The finished job."""
        job = None
        for job in self._client.watch(id):
            pass
        return job or self.get(id)

    def cancel(self, id: str) -> Job:
        """Ends it; what is stored stays."""
        return self._client._ask(calls.cancel_job(id))

    def retry(
        self,
        id: str,
        *,
        codes: Sequence[str] | None = None,
        lines: Sequence[int] | None = None,
        ids: Sequence[str] | None = None,
    ) -> Job:
        """A new job of the documents that failed: of all, or of those of some reasons, lines or ids."""
        return self._client._ask(calls.retry_job(id, {"codes": codes, "lines": lines, "ids": ids}))

    def forget(self, id: str) -> None:
        """Forgets a finished job, with its failures; what is stored stays."""
        self._client._ask(calls.forget_job(id))

    def failures(self, id: str) -> Generator[DocumentReport, None, int]:
        """The documents that failed, and why; returns how many more there were that the job does not name."""
        return self._reports(id, "failures")

    def warnings(self, id: str) -> Generator[DocumentReport, None, int]:
        """As `failures`, of documents that came again later in the job, or were truncated."""
        return self._reports(id, "warnings")

    def output(self, id: str, start: int = 0) -> Iterator[bytes]:
        """The bytes of the file that it wrote, from one on; where the connection breaks, the rest is asked for."""
        client = self._client
        path = f"/api/v1/jobs/{calls.part(id)}/output"
        at, failures = start, 0
        while True:
            headers = {"accept-encoding": "identity", **({"range": f"bytes={at}-"} if at > 0 else {})}
            try:
                with client._stream(path, LASTING, headers) as response:
                    if response.is_error:
                        response.read()
                        raise error_of(client.url, response)
                    if at > 0 and response.status_code != 206:
                        message = f"the file of job {id} has changed; start again"
                        raise EmbedmillError("unexpected_answer", message, status=response.status_code)
                    for chunk in response.iter_raw():
                        at, failures = at + len(chunk), 0
                        yield chunk
                return
            except httpx.TransportError as error:
                if failures == len(client.pauses):
                    raise unreachable(client.url, error) from error
                time.sleep(client.pauses[failures])
                failures += 1

    def _reports(self, id: str, kind: str) -> Generator[DocumentReport, None, int]:
        path = f"/api/v1/jobs/{calls.part(id)}/{kind}"
        for line in self._client._lines(path, LASTING, "application/x-ndjson"):
            report = json.loads(line)
            if "more" in report:
                return report["more"]
            yield report
        return 0
