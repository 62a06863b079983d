"""Runs the checks of one client, the functions `check_…` of its module, and prints a line of JSON for each."""

import importlib
import importlib.util
import inspect
import json
import os
import sys
import traceback

# LangChain counts tokens with tiktoken, which downloads its vocabularies; litellm ships them.
litellm = importlib.util.find_spec("litellm")
if litellm is not None and litellm.origin is not None:
    tokenizers = os.path.join(os.path.dirname(litellm.origin), "litellm_core_utils", "tokenizers")
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", tokenizers)

module = importlib.import_module(sys.argv[1])
for name, check in inspect.getmembers(module, inspect.isfunction):
    if not name.startswith("check_"):
        continue
    result = {"check": name.removeprefix("check_").replace("_", " "), "error": None}
    try:
        check()
    except BaseException:
        result["error"] = traceback.format_exc()
    print("RESULT " + json.dumps(result), flush=True)
