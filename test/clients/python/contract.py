"""Runs the cases of packages/client/contract/cases.json with the Python client, sync or async: python contract.py sync|async.

Prints a line of JSON for each case, behind "RESULT ", as run.py does.
"""

import asyncio
import inspect
import json
import os
import re
import sys
import tempfile
import traceback
from pathlib import Path

from embedmill import AsyncClient, Client, EmbedmillError

CASES = json.loads((Path(__file__).parents[3] / "packages/client/contract/cases.json").read_text())
URL = os.environ["CLIENTS_URL"]


def filled(value, known):
    if isinstance(value, list):
        return [filled(one, known) for one in value]
    if isinstance(value, dict) and "$file" in value:
        path = Path(tempfile.mkdtemp()) / value["$file"]
        path.write_text(value["text"])
        return path
    if isinstance(value, dict):
        return {key: filled(one, known) for key, one in value.items()}
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    first, *rest = value[1:].split(".")
    found = known[first]
    for name in rest:
        found = found[name]
    return found


def check(got, wanted, where="it"):
    if isinstance(wanted, dict) and "$type" in wanted:
        kinds = {"string": str, "number": (int, float)}
        assert isinstance(got, kinds[wanted["$type"]]), f"{where} is {got!r}, no {wanted['$type']}"
    elif isinstance(wanted, dict) and "$length" in wanted:
        assert len(got) == wanted["$length"], f"{where} has {len(got)}"
    elif isinstance(wanted, dict):
        for key, one in wanted.items():
            assert key in got, f"{where} has no {key}: {got!r}"
            check(got[key], one, f"{where}.{key}")
    elif isinstance(wanted, list):
        assert len(got) == len(wanted), f"{where} has {len(got)} entries: {got!r}"
        for n, one in enumerate(wanted):
            check(got[n], one, f"{where}[{n}]")
    else:
        assert got == wanted, f"{where} is {got!r}, not {wanted!r}"


def as_python_names(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def method_of(client, verb):
    *holders, name = verb.split(".")
    for holder in holders:
        client = getattr(client, holder)
    return getattr(client, as_python_names(name))


async def called(client, verb, arguments, options):
    result = method_of(client, verb)(*arguments, **{as_python_names(name): one for name, one in options.items()})
    if inspect.isawaitable(result):
        return await result
    if hasattr(result, "__aiter__"):
        return [one async for one in result]
    if hasattr(result, "__next__"):
        return list(result)
    return result


async def run(client, collection):
    known = {"collection": collection}
    for case in CASES:
        error = None
        try:
            try:
                got = await called(client, case["verb"], filled(case["arguments"], known), case.get("options", {}))
                assert "fails" not in case, f"it answered {got!r}"
                if "as" in case:
                    known[case["as"]] = got
                if "last" in case:
                    check(got[-1], filled(case["last"], known))
                elif "lines" in case:
                    lines = b"".join(got).decode().splitlines()
                    check([json.loads(line) for line in lines], filled(case["lines"], known))
                else:
                    check(got, filled(case["answers"], known))
            except EmbedmillError as failed:
                if "fails" not in case:
                    raise
                for name, wanted in case["fails"].items():
                    check(getattr(failed, name), wanted, name)
        except Exception:
            error = traceback.format_exc()
        print("RESULT " + json.dumps({"check": case["name"], "error": error}), flush=True)


async def main(kind):
    if kind == "sync":
        with Client(URL) as client:
            await run(client, "python-sync")
    else:
        async with AsyncClient(URL) as client:
            await run(client, "python-async")


asyncio.run(main(sys.argv[1]))
