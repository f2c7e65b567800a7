"""Describe what an engine is asked and what it answers: requests, decoding, pieces and answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from backend.engine.constraints import Constraint

FinishReason = Literal["stop", "length", "cancelled"]
"""stop: the end token or a stop string came; length: the limit did; cancelled: nobody waits any more."""


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How tokens are chosen.

    Args:
        max_new_tokens: longest answer in tokens.
        temperature: 0 takes the likeliest token (greedy).
        top_p: sample from the likeliest tokens that have this much probability together.
        top_k: sample from this many likeliest tokens; 0: from all.
        seed: of the samples; the same seed gives the same answer, whatever else is computed.
        repetition_penalty: for the last tokens of the thought, only inside it; 1: none.
        stop: the answer ends before the first of these texts; they are not part of it.
        top_logprobs: alternatives whose log probabilities are recorded with each token; None: none at all.
        thinks: the answer begins inside a think chain, which is closed before the limit.
    """

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    top_logprobs: int | None = None
    thinks: bool = True


@dataclass(frozen=True, kw_only=True)
class Request:
    """One answer to be written: the tokens before it, and how it is decoded.

    Requests with the same beginning share its computation; `constraints` restrict the tokens further.
    `adapter` names one of the engine's adapters; None: the model as it was loaded.
    """

    prompt: Sequence[int]
    decoding: Decoding
    constraints: tuple["Constraint", ...] = ()
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A chosen token with its log probability in nats, and the likeliest tokens in its place.

    Of the model's own distribution: before temperature, penalty and constraints.
    """

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """What came since the last piece: text that will not change any more, and its tokens.

    `tokens` counts the new tokens, those whose text is still held back included.
    """

    text: str
    tokens: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()
    finish: FinishReason | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A written answer.

    Args:
        text: without the stop text and the end token; the opened thought is not part of it.
        ids: its tokens.
        finish: why it ended.
        forced: the thought ran into its limit and was closed from outside.
        logprobs: of each token, where asked for.
    """

    text: str
    ids: tuple[int, ...]
    finish: FinishReason
    forced: bool = False
    logprobs: tuple[TokenLogprob, ...] = field(default=())
