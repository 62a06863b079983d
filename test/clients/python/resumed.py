"""Uploads in parts over a connection that breaks, with the Python client: python resumed.py sync|async. Prints as contract.py does."""

import asyncio
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path

import httpx
from embedmill import AsyncClient, Client

URL = os.environ["CLIENTS_URL"]
LINES = [json.dumps({"id": f"d{n}", "text": f"whale number {n}"}) + "\n" for n in range(12)]
# Of the requests that send a part, the second one's answer is lost, and the third does not arrive.
ANSWER_LOST, CUT = 2, 3


class Breaking(httpx.HTTPTransport):
    def __init__(self):
        super().__init__()
        self.parts = 0

    def handle_request(self, request):
        self.parts += request.url.path.endswith("/parts")
        if request.url.path.endswith("/parts") and self.parts == CUT:
            raise httpx.ConnectError("cut", request=request)
        response = super().handle_request(request)
        if request.url.path.endswith("/parts") and self.parts == ANSWER_LOST:
            response.read()
            raise httpx.ReadError("cut", request=request)
        return response


class BreakingLater(httpx.AsyncHTTPTransport):
    def __init__(self):
        super().__init__()
        self.parts = 0

    async def handle_async_request(self, request):
        self.parts += request.url.path.endswith("/parts")
        if request.url.path.endswith("/parts") and self.parts == CUT:
            raise httpx.ConnectError("cut", request=request)
        response = await super().handle_async_request(request)
        if request.url.path.endswith("/parts") and self.parts == ANSWER_LOST:
            await response.aread()
            raise httpx.ReadError("cut", request=request)
        return response


async def main(kind):
    path = Path(tempfile.mkdtemp()) / "documents.ndjson"
    path.write_text("".join(LINES))
    part_bytes = -(-path.stat().st_size // 4)
    name, pauses = f"resumed-{kind}", (0.01,)
    if kind == "sync":
        transport = Breaking()
        with Client(URL, http=httpx.Client(transport=transport, timeout=60), pauses=pauses) as client:
            client.collections.create(name)
            job = client.jobs.finished(client.submit(name, path, part_bytes=part_bytes)["id"])
    else:
        transport = BreakingLater()
        http = httpx.AsyncClient(transport=transport, timeout=60)
        async with AsyncClient(URL, http=http, pauses=pauses) as client:
            await client.collections.create(name)
            job = await client.submit(name, path, part_bytes=part_bytes)
            job = await client.jobs.finished(job["id"])
    # Four parts, and the one that did not arrive, again.
    assert transport.parts == 5, f"{transport.parts} parts were sent"
    assert job["stored"] == len(LINES) and job["failed"] == 0, job


error = None
try:
    asyncio.run(main(sys.argv[1]))
except Exception:
    error = traceback.format_exc()
print("RESULT " + json.dumps({"check": "a file goes on where it was", "error": error}))
