"""Define the requests of the protocol: what is honoured, what has no effect, what is refused.

Nothing that would change an answer is ignored: a parameter is honoured, or refused by its name.
Values that ask for nothing (`"logit_bias": {}`, `"frequency_penalty": 0`, null) are always accepted,
since clients send them on their own. This module knows no model.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from backend.serving.errors import ApiError
from studio.contract import AnswerMode
from studio.language import say

MOST_CHOICES = 16
MOST_STOPS = 16
LONGEST_STOP = 1000
MOST_TITLES = 1000

NO_EFFECT = (
    "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key",
    "prompt_cache_retention", "parallel_tool_calls",
)  # fmt: skip
"""They say who asks, and how it is billed and kept; no answer depends on them."""

REFUSED: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "repetition_penalty": (1,),
    "logit_bias": ({},),
    "min_p": (0,),
    "min_tokens": (0,),
    "ignore_eos": (False,),
    "best_of": (1,),
    "echo": (False,),
    "suffix": ("",),
    "response_format": ({"type": "text"},),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "modalities": (["text"],),
    "reasoning_effort": ("none", "medium"),
    "verbosity": ("medium",),
    "audio": (),
    "prediction": (),
    "web_search_options": (),
}
"""Parameters that are not done, each with the values that ask for nothing."""


def _not_limited(value: Any) -> Any:
    """Read -1 as llama.cpp and LM Studio do: no limit of the client's own."""
    return None if value == -1 and not isinstance(value, bool) else value


def _some_stops(value: str | list[str]) -> str | list[str]:
    stops = [value] if isinstance(value, str) else value
    if len(stops) > MOST_STOPS:
        raise ValueError(say(f"最多 {MOST_STOPS} 个停止串。", f"at most {MOST_STOPS} stop texts."))
    if any(not stop or len(stop) > LONGEST_STOP for stop in stops):
        raise ValueError(
            say(f"停止串要有 1 到 {LONGEST_STOP} 个字。", f"a stop text has 1 to {LONGEST_STOP} characters.")
        )
    return value


Limit = Annotated[Annotated[int, Field(ge=1, le=2**31)] | None, BeforeValidator(_not_limited)]


class StreamOptions(BaseModel):
    """What a stream tells beside the text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    include_usage: bool = False
    include_obfuscation: bool = False


class Sampling(BaseModel):
    """What chat and plain completion have in common."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    model: str | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Limit = None
    temperature: float = Field(0.0, ge=0, le=2)
    top_p: float = Field(1.0, ge=0, le=1)
    top_k: int = Field(0, ge=-1, le=2**31)
    n: int = Field(1, ge=1, le=MOST_CHOICES)
    repetition_penalty: float | None = None
    seed: int | None = Field(None, ge=-(2**63), lt=2**64)
    stop: Annotated[str | list[str], AfterValidator(_some_stops)] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_is_not_done(cls, fields: Any) -> Any:
        kept = {name: value for name, value in fields.items() if name not in NO_EFFECT}
        for name, neutral in REFUSED.items():
            if name in kept and not _is_one_of(kept[name], neutral):
                raise refused(name, kept[name])
            if name not in cls.model_fields:
                kept.pop(name, None)
        if "stream_options" in kept and not kept.get("stream"):
            raise ApiError(
                400,
                say(
                    "stream_options 只能和 stream: true 一起用。",
                    "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
                ),
                param="stream_options",
                code="invalid_value",
            )
        return kept

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop texts."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the count of tokens."""
        return self.stream_options is not None and self.stream_options.include_usage


class ChatRequest(Sampling):
    """A chat completion. The messages are read by `conversation`, which can name a fault's place."""

    messages: list[Any] = Field(min_length=1)
    max_completion_tokens: Limit = None
    logprobs: bool = False
    top_logprobs: int | None = Field(None, ge=0, le=20)
    reasoning_effort: Literal["none", "medium"] = "medium"
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _refuse_tools(cls, fields: Any) -> Any:
        kept = dict(fields)
        tools, choice = kept.pop("tools", []), kept.pop("tool_choice", "auto")
        if tools and choice != "none":
            raise ApiError(
                400,
                say(
                    "这里的模型不会调用工具。去掉 tools，或设 tool_choice 为 none。",
                    "The models here call no tools. Leave out 'tools', or set 'tool_choice' to 'none'.",
                ),
                param="tools",
                code="unsupported_parameter",
            )
        if choice not in ("none", "auto"):
            raise refused("tool_choice", choice)
        for name in kept.get("chat_template_kwargs") or {}:
            if name != "enable_thinking":
                raise refused(f"chat_template_kwargs.{name}", kept["chat_template_kwargs"][name])
        return kept

    @model_validator(mode="after")
    def _fits_together(self) -> "ChatRequest":
        if self.top_logprobs and not self.logprobs:
            raise ApiError(
                400,
                say("用 top_logprobs 时要设 logprobs: true。", "'top_logprobs' needs 'logprobs' to be true."),
                param="top_logprobs",
                code="invalid_value",
            )
        return self

    @property
    def thinks(self) -> bool:
        """Whether the answer begins with a think chain."""
        return (
            self.reasoning_effort != "none" and self.chat_template_kwargs.get("enable_thinking") is not False
        )

    @property
    def limit(self) -> int | None:
        """Longest answer in tokens; None: no limit of the client's own."""
        return self.max_completion_tokens or self.max_tokens


class CompletionRequest(Sampling):
    """A plain completion: the prompt is taken as it is, without a template."""

    prompt: str | list[str] | list[int] | list[list[int]]
    logprobs: int | None = Field(None, ge=0, le=20)

    @property
    def limit(self) -> int | None:
        """Longest answer in tokens; OpenAI's default is 16."""
        return self.max_tokens or 16


class ClassifyRequest(BaseModel):
    """Titles to classify, and the way of answering."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    titles: list[str] = Field(min_length=1)
    answer: AnswerMode = "chain"
    model: str | None = None
    threshold: float | None = Field(None, ge=0, le=1)
    quotes_from_title: bool | None = None
    evidence: bool = False


def _is_one_of(value: Any, neutral: tuple[Any, ...]) -> bool:
    """Compare as JSON does: `false` is not 0."""
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in neutral)


def refused(param: str, value: Any) -> ApiError:
    """Make the error for a parameter, or a value of it, that is not done here."""
    shown = repr(value)
    shown = shown if len(shown) < 60 else f"{shown[:57]}..."
    return ApiError(
        400,
        say(
            f"本服务不支持 {param}（{shown}）。请去掉它：它会改变结果，所以不会被悄悄忽略。",
            f"Unsupported parameter: '{param}' ({shown}) is not supported here. Leave it out: it would "
            "change the result, so it is not ignored silently.",
        ),
        param=param,
        code="unsupported_parameter",
    )
