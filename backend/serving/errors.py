"""Report errors in OpenAI's form, which every client of the protocol reads.

{"error": {"message": ..., "type": ..., "param": ..., "code": ...}}
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from studio.errors import StudioError
from studio.language import say

log = logging.getLogger(__name__)

RETRY_SECONDS = 1
"""When a client that was turned away may come again."""


class ApiError(Exception):
    """An error that the client is told: status, message, and the parameter that it is about."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        kind: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.body = {"error": {"message": str(message), "type": kind, "param": param, "code": code}}

    def response(self) -> JSONResponse:
        """Build the response."""
        return JSONResponse(self.body, status_code=self.status, headers=self.headers)


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


def invalid(param: str, zh: str, en: str, *, code: str | None = None) -> ApiError:
    """Make the error for an unusable value of a parameter."""
    return ApiError(400, say(zh, en), param=param, code=code)


def busy() -> ApiError:
    """Make the error for a full queue."""
    return ApiError(
        429,
        say(
            "等待的请求已满，没有开始计算。请稍后重试（见 Retry-After）。",
            "The queue is full, nothing was computed. Try again later (see Retry-After).",
        ),
        code="rate_limit_exceeded",
        kind="rate_limit_error",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


def stopped() -> ApiError:
    """Make the error for an answer that the end of the engine cut off, or kept from beginning."""
    return ApiError(
        503,
        say("模型服务停了，回答没有写完。", "The model server has stopped; the answer is not complete."),
        code="server_stopped",
        kind="server_error",
    )


def validation_error(error: ValidationError) -> ApiError:
    """Report the first fault of a request that does not validate."""
    first = error.errors()[0]
    param = parameter_name(first["loc"])
    if first["type"] == "extra_forbidden":
        return unrecognized(param)
    if first["type"] == "missing":
        return ApiError(
            400,
            say(f"缺少必需的参数：{param}。", f"Missing required parameter: '{param}'."),
            param=param,
            code="missing_required_parameter",
        )
    reason = str(first["ctx"]["error"]) if "error" in first.get("ctx", {}) else first["msg"]
    return ApiError(
        400,
        say(f"参数 {param} 的值不可用：{reason}", f"Invalid value for '{param}': {reason}"),
        param=param,
        code="invalid_value",
    )


def unrecognized(param: str) -> ApiError:
    """Refuse a parameter that we do not know: it could have been meant to change the answer."""
    return ApiError(
        400,
        say(
            f"不认识的参数：{param}。本服务不会悄悄忽略可能改变结果的参数，请去掉它。",
            f"Unrecognized request argument supplied: {param}. What could change the result is never "
            "ignored silently; leave it out.",
        ),
        param=param,
        code="unknown_parameter",
    )


def parameter_name(loc: Iterable[int | str]) -> str:
    """Write where a fault is as OpenAI does: `messages[0].content`."""
    name = ""
    for part in loc:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name


def add_handlers(app: FastAPI) -> None:
    """Have every error of the app, the framework's own included, answered in this form."""

    async def ours(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ApiError)
        return error.response()

    async def gone(_: Request, __: Exception) -> JSONResponse:
        return JSONResponse({}, status_code=499)

    async def framework(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        message = say(
            f"没有这个地址或方法：{request.method} {request.url.path}",
            f"Invalid URL or method ({request.method} {request.url.path})",
        )
        return ApiError(error.status_code, message, code="not_found", headers=error.headers).response()

    async def users(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, StudioError)
        return ApiError(400, str(error)).response()

    async def bug(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        message = say(
            f"服务内部出错（{type(error).__name__}），原因在它的日志里。",
            f"The server had an error ({type(error).__name__}); its log says why.",
        )
        return ApiError(500, message, kind="server_error").response()

    handlers: Mapping[Any, Any] = {
        ApiError: ours, ClientGone: gone, HTTPException: framework, StudioError: users, Exception: bug,
    }  # fmt: skip
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
