"""What goes wrong, and what an answer that is none means."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, TypedDict

import httpx

#: Answers that may become others by themselves.
PASSING = {429, 502, 503, 504}


class ErrorDetail(TypedDict):
    """One thing that is wrong with a request, and where in it."""

    path: str
    message: str


class EmbedmillError(Exception):
    """What went wrong. Decide by ``code``: one of the server's catalogue, ``unreachable`` where nobody answered, or
    ``unexpected_answer`` where something else than embedmill did. The message says what was wrong, where, and what to do.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        retryable: bool = False,
        details: list[ErrorDetail] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        #: Of the answer; None where there was none.
        self.status = status
        #: Whether the same request may succeed later.
        self.retryable = retryable
        self.details = details or []
        #: Seconds after which it is worth trying again, where the server said so.
        self.retry_after = retry_after

    @property
    def path(self) -> str | None:
        """Where in the request the first thing is that is wrong."""
        return self.details[0]["path"] if self.details else None


def unreachable(url: str, cause: Exception) -> EmbedmillError:
    reason = str(cause) or type(cause).__name__
    return EmbedmillError("unreachable", f"no embedmill responds at {url} ({reason})", retryable=True)


def error_of(url: str, response: httpx.Response) -> EmbedmillError:
    """What an answer with a status of 400 and more means; its body has been read."""
    status = response.status_code
    retry_after = _retry_after(response)
    body = _json(response)
    if isinstance(body.get("code"), str) and isinstance(body.get("title"), str):
        return EmbedmillError(
            body["code"],
            body.get("detail", body["title"]),
            status=status,
            retryable=bool(body.get("retryable")),
            details=body.get("errors", []),
            retry_after=retry_after,
        )
    # The routes of OpenAI's shape.
    said = body.get("error")
    if isinstance(said, dict) and isinstance(said.get("code"), str):
        param = said.get("param")
        details: list[ErrorDetail] = [] if param is None else [{"path": param, "message": said["message"]}]
        return EmbedmillError(
            said["code"],
            said["message"],
            status=status,
            retryable=status in PASSING,
            details=details,
            retry_after=retry_after,
        )
    return EmbedmillError(
        "unexpected_answer",
        f"{url} answered {status}: {response.text[:200]}",
        status=status,
        retryable=status in PASSING,
        retry_after=retry_after,
    )


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _retry_after(response: httpx.Response) -> float | None:
    said = response.headers.get("retry-after")
    if said is None:
        return None
    try:
        return float(said) if said.isdigit() else _seconds_until(said)
    except ValueError:
        return None


def _seconds_until(date: str) -> float:
    return max(0.0, (parsedate_to_datetime(date) - datetime.now(timezone.utc)).total_seconds())
