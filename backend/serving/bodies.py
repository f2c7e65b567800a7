"""Read a request's JSON: strict about what no model should be given, and with the reason."""

import json
from typing import Any, NoReturn, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from backend.serving.errors import ApiError, validation_error
from studio.language import say

M = TypeVar("M", bound=BaseModel)


async def read_request(request: Request, model: type[M]) -> M:
    """Read the body as a request of the protocol; `null` is as if the parameter were not there.

    Raises:
        ApiError: 400 or 415, with the reason.
    """
    fields = parse_object(request.headers.get("content-type", ""), await request.body())
    try:
        return model.model_validate({name: value for name, value in fields.items() if value is not None})
    except ValidationError as error:
        raise validation_error(error) from error


def parse_object(content_type: str, body: bytes) -> dict[str, Any]:
    """Parse a JSON object without NaN and without half characters."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        # Also what keeps a page of another site from posting here without asking first (CORS).
        raise ApiError(
            415,
            say(
                "请求体必须是 JSON：请加上 Content-Type: application/json。",
                "The body must be JSON: send the header Content-Type: application/json.",
            ),
            code="unsupported_media_type",
        )
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
        # Lone surrogates are legal JSON, and no text.
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise _malformed("文本里有半个字符（孤立的代理项）", "text holds a lone surrogate") from error
    except UnicodeDecodeError as error:
        raise _malformed("不是 UTF-8", "it is not UTF-8") from error
    except RecursionError as error:
        raise _malformed("嵌套太深", "it is nested too deeply") from error
    except ValueError as error:
        raise _malformed(str(error), str(error)) from error
    if not isinstance(document, dict):
        raise _malformed("最外层不是对象", "the outermost value is not an object")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _malformed(zh: str, en: str) -> ApiError:
    return ApiError(
        400, say(f"请求体不是可用的 JSON：{zh}。", f"The body is no usable JSON: {en}."), code="invalid_json"
    )
