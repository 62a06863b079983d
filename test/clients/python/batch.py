"""The client's part of a batch with OpenAI's own client: python batch.py URL REQUESTS OUTPUT.

Prints the batch's id, then how it ended.
"""

import sys
import time

from openai import APIConnectionError, APIStatusError, OpenAI

url, requests, output = sys.argv[1:]
client = OpenAI(base_url=url + "/v1", api_key="none", max_retries=10, timeout=3600)
with open(requests, "rb") as file:
    uploaded = client.files.create(file=file, purpose="batch")
batch = client.batches.create(input_file_id=uploaded.id, endpoint="/v1/embeddings", completion_window="7d")
print(batch.id, flush=True)
while batch.status not in ("completed", "failed", "expired", "cancelled"):
    time.sleep(0.5)
    try:
        batch = client.batches.retrieve(batch.id)
    except (APIConnectionError, APIStatusError):
        # One of the server's processes was killed; it comes back.
        continue
print(batch.status, flush=True)
if batch.output_file_id is not None:
    with client.files.with_streaming_response.content(batch.output_file_id) as response:
        response.stream_to_file(output)
