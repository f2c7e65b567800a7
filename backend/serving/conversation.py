"""Read a chat's messages into the turns that a template knows: system, user, assistant.

    developer          as system; several systems become one, at the front, since templates have one place
    tool, function     the tool's words as a user turn: nothing of what was said is lost
    content            text, or a list of text parts; null where an assistant only called tools
    two of one role    become one turn: a template opens an answer after each user turn

This module knows no tokenizer.
"""

import json
from collections.abc import Mapping
from typing import Any

from backend.data.templates import Message
from backend.serving.errors import ApiError, invalid
from studio.language import say

ROLES = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant",
    "tool": "user", "function": "user",
}  # fmt: skip
_TEXT_PARTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}


def read_conversation(messages: list[Any]) -> list[Message]:
    """Read messages into turns, of which the last is the one that is answered.

    Raises:
        ApiError: 400, with the place of the fault.
    """
    turns = [_turn(message, f"messages[{index}]") for index, message in enumerate(messages)]
    systems = [text for role, text in turns if role == "system" and text]
    joined: list[Message] = [{"role": "system", "content": "\n\n".join(systems)}] if systems else []
    for role, text in turns:
        if role == "system":
            continue
        if joined and joined[-1]["role"] == role:
            joined[-1]["content"] = "\n\n".join(part for part in (joined[-1]["content"], text) if part)
        else:
            joined.append({"role": role, "content": text})
    if joined and joined[-1] == {"role": "assistant", "content": ""}:
        joined.pop()  # the place of an answer that never came, which some clients send back
    if not joined or joined[-1]["role"] != "user":
        joined.append({"role": "user", "content": ""})
    return joined


def _turn(message: Any, place: str) -> tuple[str, str]:
    if not isinstance(message, dict):
        raise invalid(place, f"{place} 要是一个对象。", f"Invalid type for '{place}': expected an object.")
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        known = ", ".join(ROLES)
        raise invalid(
            f"{place}.role",
            f"{place}.role 不可用：{role!r}。可用：{known}",
            f"Invalid value for '{place}.role': {role!r}. Supported values are: {known}.",
            code="invalid_value",
        )
    content = message.get("content")
    called = _calls(message) if role == "assistant" else ""
    if content is None:
        if role != "assistant":
            raise invalid(
                f"{place}.content",
                f"{place} 没有 content；只有 assistant 的可以为空。",
                f"Missing '{place}.content': only that of an assistant may be null.",
                code="invalid_value",
            )
        return ROLES[role], called
    return ROLES[role], "\n".join(part for part in (_text(content, f"{place}.content"), called) if part)


def _text(content: Any, place: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise invalid(
            place,
            f"{place} 要是文本或文本片段的列表。",
            f"Invalid type for '{place}': expected a string or a list of parts.",
            code="invalid_type",
        )
    return "\n".join(_part(part, f"{place}[{index}]") for index, part in enumerate(content))


def _part(part: Any, place: str) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, dict) else None
    if kind not in _TEXT_PARTS:
        raise ApiError(
            400,
            say(
                f"{place} 是 {kind!r}：这里的模型只读文本。",
                f"'{place}' is of type {kind!r}: the models here read text only.",
            ),
            param=place,
            code="unsupported_content",
        )
    text = part.get(_TEXT_PARTS[kind])
    if not isinstance(text, str):
        raise invalid(f"{place}.text", f"{place}.text 要是文本。", f"'{place}.text' must be a string.")
    return text


def _calls(message: Mapping[str, Any]) -> str:
    """Write an assistant's tool calls as text: a later turn answers them."""
    calls = message.get("tool_calls") or message.get("function_call")
    return json.dumps(calls, ensure_ascii=False) if calls else ""
