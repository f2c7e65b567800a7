"""Read and write OpenAI batch files: a request a line in, a response a line out, matched by custom_id.

Source: the Batch API's reference, "The request input object" and "The request output object".
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from studio.samples.canonical import read_question

URL = "/v1/chat/completions"
_LINE_BYTES = 1 << 20


def is_batch(path: Path) -> bool:
    """Return whether the first line of a file is a request of a batch file."""
    if path.suffix.lower() not in (".jsonl", ".ndjson"):
        return False
    try:
        with path.open("rb") as file:
            first = json.loads(next((line for line in _lines(file) if line.strip()), b"null"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(first, dict) and "custom_id" in first and isinstance(first.get("body"), dict)


def _lines(file: Any) -> Iterator[bytes]:
    return iter(lambda: file.readline(_LINE_BYTES), b"")


def requests(path: Path) -> Iterator[Mapping[str, Any]]:
    """Stream the requests of a batch file; a line that is none is an empty mapping."""
    with path.open("rb") as file:
        for line in file:
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                found = {}
            yield found if isinstance(found, dict) else {}


def request_titles(path: Path, prompt: str) -> Iterator[str | None]:
    """Stream the title of each request: its last user message, without the scheme's prompt.

    None for a request to another address; empty where there is no user message.
    """
    for request in requests(path):
        if request.get("url", URL) != URL or "body" not in request:
            yield None
        else:
            yield read_question(_last_user_text(request["body"]), prompt)[0]


def _last_user_text(body: Any) -> str:
    messages = body.get("messages") if isinstance(body, Mapping) else None
    texts = [
        _content(message.get("content"))
        for message in (messages if isinstance(messages, list) else [])
        if isinstance(message, Mapping) and message.get("role") == "user"
    ]
    return texts[-1] if texts else ""


def _content(content: Any) -> str:
    """Read a message's content: text, or a list of parts of which the texts count."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def response(
    request: Mapping[str, Any], *, number: int, model: str, created: int, content: str, chain: str | None,
    tokens: int, added: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Build the line of an answered request; `added` is what a classification has beyond an answer."""
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if chain is not None:
        message["reasoning_content"] = chain
    body = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 0, "completion_tokens": tokens, "total_tokens": tokens},
        "news_studio": dict(added),
    }
    answer = {"status_code": 200, "request_id": f"req-{number}", "body": body}
    return {**_head(request, number), "response": answer, "error": None}


def failure(request: Mapping[str, Any], *, number: int, code: str, message: str) -> dict[str, Any]:
    """Build the line of a request without an answer."""
    return {**_head(request, number), "response": None, "error": {"code": code, "message": message}}


def _head(request: Mapping[str, Any], number: int) -> dict[str, Any]:
    return {"id": f"batch_req_{number}", "custom_id": request.get("custom_id")}
