"""The client for those who await. It is `client.py` with `await`; a change there is one here."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, List

import httpx

from . import calls, uploads
from .body import AsyncDocuments, achunks_of, is_repeatable, media_type_of
from .calls import Answer, Call
from .client import (
    LASTING,
    WATCHING,
    _ANSWER_SECONDS,
    _LONGEST_PAUSE,
    _PATIENCE_SECONDS,
    _PAUSES,
    _POLL_SECONDS,
)
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


class AsyncClient:
    """A client of one embedmill; close it, or use it in an ``async with``.

    What is safe to repeat is asked again after a pause where the connection broke or the server answered 429, 502, 503
    or 504; other requests on a 429 alone, which says that nothing was done.

    Raises `EmbedmillError`.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        http: httpx.AsyncClient | None = None,
        pauses: tuple[float, ...] = _PAUSES,
    ) -> None:
        self.url = url.rstrip("/")
        self.pauses = pauses
        self._headers = {} if api_key is None else {"authorization": f"Bearer {api_key}"}
        self._http = http or httpx.AsyncClient(timeout=_ANSWER_SECONDS)
        self.collections = AsyncCollections(self)
        self.documents = AsyncStoredDocuments(self)
        self.jobs = AsyncJobs(self)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def submit(
        self,
        target: str | FileTarget,
        documents: AsyncDocuments,
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
            job = await self._follow(steps)
            if job is not None:
                return job
        call = calls.submit(target, media_type, gzip, key, options)
        for pause in self.pauses if is_repeatable(documents) else ():
            try:
                return await self._once(call, content=achunks_of(documents), timeout=LASTING)
            except EmbedmillError as error:
                if not error.retryable:
                    raise
                await asyncio.sleep(pause if error.retry_after is None else error.retry_after)
        return await self._once(call, content=achunks_of(documents), timeout=LASTING)

    async def watch(self, job: str) -> AsyncIterator[Job]:
        """A job from now until it has finished, whenever it changed; the last is the finished one."""
        seen = time.monotonic()
        while True:
            try:
                async for one in self._events(job):
                    seen = time.monotonic()
                    yield one
                    if one["state"] in FINISHED:
                        return
                one = await self.jobs.get(job)
                seen = time.monotonic()
                yield one
                if one["state"] in FINISHED:
                    return
            except EmbedmillError as error:
                if not error.retryable or time.monotonic() - seen > _PATIENCE_SECONDS:
                    raise
            await asyncio.sleep(_POLL_SECONDS)

    def failures(self, job: str) -> AsyncIterator[DocumentReport]:
        """A job's documents that failed, and why."""
        return self.jobs.failures(job)

    async def search(self, collection: str, request: dict[str, Any]) -> SearchResponse:
        """The chunks that answer a question: by meaning, by words, or by both."""
        return await self._ask(calls.search(collection, request))

    async def recommend(self, collection: str, request: dict[str, Any]) -> SearchResponse:
        """The chunks that are like some examples and unlike others."""
        return await self._ask(calls.recommend(collection, request))

    async def embed(
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
            vectors += await self._ask(calls.embeddings(some, model, role, dimensions))
        return vectors

    async def export(self, collection: str, request: dict[str, Any] | None = None) -> AsyncIterator[bytes]:
        """A collection's documents, or their points with vectors, as the bytes of a file."""
        job = await self._ask(calls.begin_export(collection, request or {}))
        async for job in self.watch(job["id"]):
            pass
        if job["state"] != "completed":
            error = job["error"] or {"code": "job_not_finished", "message": f"the export was {job['state']}"}
            raise EmbedmillError(error["code"], error["message"])
        async for chunk in self.jobs.output(job["id"]):
            yield chunk

    async def _ask(self, call: Call[Answer]) -> Answer:
        for pause in self.pauses:
            try:
                return await self._once(call)
            except EmbedmillError as error:
                may_pass = call.repeatable and (error.code == "unreachable" or error.status in PASSING)
                wait = pause if error.retry_after is None else error.retry_after
                if not (may_pass or error.status == 429) or wait > _LONGEST_PAUSE:
                    raise
                await asyncio.sleep(wait)
        return await self._once(call)

    async def _follow(self, steps: uploads.Steps) -> Any:
        """Does what steps say, until they end; gives what they give."""
        answer, error = None, None
        while True:
            try:
                step = steps.send(answer) if error is None else steps.throw(error)
            except StopIteration as end:
                return end.value
            answer, error = None, None
            if isinstance(step, uploads.Wait):
                await asyncio.sleep(step.seconds)
                continue
            try:
                if step.repeats:
                    answer = await self._ask(step.call)
                else:
                    answer = await self._once(step.call, timeout=LASTING, **({"files": step.files} if step.files else {}))
            except EmbedmillError as failed:
                error = failed

    async def _once(self, call: Call[Answer], **sent: Any) -> Answer:
        if call.body is not None:
            sent["json"] = call.body
        try:
            response = await self._http.request(
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

    async def _lines(self, path: str, timeout: httpx.Timeout, media_type: str) -> AsyncIterator[str]:
        """The lines of an answer as they come; none where it is of another kind."""
        try:
            async with self._stream(path, timeout) as response:
                if response.is_error:
                    await response.aread()
                    raise error_of(self.url, response)
                if response.headers.get("content-type", "").startswith(media_type):
                    async for line in response.aiter_lines():
                        yield line
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error

    async def _events(self, job: str) -> AsyncIterator[Job]:
        path = f"/api/v1/jobs/{calls.part(job)}/events"
        async for line in self._lines(path, WATCHING, "text/event-stream"):
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


class AsyncCollections:
    """Named sets of vectors with a profile."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def create(self, name: str, profile: dict[str, Any] | None = None) -> Collection:
        """Creates it, or finds it with the same profile."""
        return await self._client._ask(calls.create_collection(name, profile))

    async def list(self) -> List[Collection]:
        return await self._client._ask(calls.list_collections())

    async def get(self, name: str) -> Collection:
        return await self._client._ask(calls.get_collection(name))

    async def delete(self, name: str) -> None:
        """Deletes it with all its vectors, and cancels its jobs."""
        await self._client._ask(calls.delete_collection(name))


class AsyncStoredDocuments:
    """The stored documents."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def get(self, collection: str, id: str, *, tenant: str | None = None) -> StoredDocument:
        return await self._client._ask(calls.get_document(collection, id, tenant))

    async def delete(self, collection: str, selection: dict[str, Any]) -> Job:
        """Deletes them, by ``ids`` or by a ``filter``, as a job."""
        return await self._client._ask(calls.delete_documents(collection, selection))

    async def count(self, collection: str, selection: dict[str, Any]) -> int:
        """The number of documents that `delete` would delete now."""
        return await self._client._ask(calls.count_documents(collection, selection))


class AsyncJobs:
    """Bulk submissions, and what became of them."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(self, query: dict[str, Any] | None = None) -> JobPage:
        """A page of them, the newest first."""
        return await self._client._ask(calls.list_jobs(query or {}))

    async def get(self, id: str) -> Job:
        return await self._client._ask(calls.get_job(id))

    async def finished(self, id: str) -> Job:
        """The finished job."""
        job = None
        async for job in self._client.watch(id):
            pass
        return job or await self.get(id)

    async def cancel(self, id: str) -> Job:
        """Ends it; what is stored stays."""
        return await self._client._ask(calls.cancel_job(id))

    async def retry(
        self,
        id: str,
        *,
        codes: Sequence[str] | None = None,
        lines: Sequence[int] | None = None,
        ids: Sequence[str] | None = None,
    ) -> Job:
        """A new job of the documents that failed: of all, or of those of some reasons, lines or ids."""
        return await self._client._ask(calls.retry_job(id, {"codes": codes, "lines": lines, "ids": ids}))

    async def forget(self, id: str) -> None:
        """Forgets a finished job, with its failures; what is stored stays."""
        await self._client._ask(calls.forget_job(id))

    def failures(self, id: str) -> AsyncIterator[DocumentReport]:
        """The documents that failed, and why."""
        return self._reports(id, "failures")

    def warnings(self, id: str) -> AsyncIterator[DocumentReport]:
        """As `failures`, of documents that came again later in the job, or were truncated."""
        return self._reports(id, "warnings")

    async def output(self, id: str, start: int = 0) -> AsyncIterator[bytes]:
        """The bytes of the file that it wrote, from one on; where the connection breaks, the rest is asked for."""
        client = self._client
        path = f"/api/v1/jobs/{calls.part(id)}/output"
        at, failures = start, 0
        while True:
            headers = {"accept-encoding": "identity", **({"range": f"bytes={at}-"} if at > 0 else {})}
            try:
                async with client._stream(path, LASTING, headers) as response:
                    if response.is_error:
                        await response.aread()
                        raise error_of(client.url, response)
                    if at > 0 and response.status_code != 206:
                        message = f"the file of job {id} has changed; start again"
                        raise EmbedmillError("unexpected_answer", message, status=response.status_code)
                    async for chunk in response.aiter_raw():
                        at, failures = at + len(chunk), 0
                        yield chunk
                return
            except httpx.TransportError as error:
                if failures == len(client.pauses):
                    raise unreachable(client.url, error) from error
                await asyncio.sleep(client.pauses[failures])
                failures += 1

    async def _reports(self, id: str, kind: str) -> AsyncIterator[DocumentReport]:
        path = f"/api/v1/jobs/{calls.part(id)}/{kind}"
        async for line in self._client._lines(path, LASTING, "application/x-ndjson"):
            report = json.loads(line)
            if "more" in report:
                return
            yield report
