"""Answer chats (`/v1/chat/completions`) and plain completions (`/v1/completions`)."""

import secrets
from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from backend.engine.requests import Decoding
from backend.serving.answers import Answering, new_choices
from backend.serving.bodies import read_request
from backend.serving.conversation import read_conversation
from backend.serving.errors import ApiError
from backend.serving.metrics import Metrics
from backend.serving.protocol import MOST_CHOICES, ChatRequest, CompletionRequest, Sampling
from backend.serving.served_models import ModelSet, Served
from backend.serving.waiting import EventStream, unless_gone
from studio.language import say


async def chat(request: Request, models: ModelSet, metrics: Metrics) -> Response:
    """Answer a conversation: the think chain in `reasoning_content`, the answer in `content`."""
    asked = await read_request(request, ChatRequest)
    served = models.find(asked.model)
    turns = read_conversation(asked.messages)
    prompt = await models.in_thread(
        lambda: models.chat_prompt(served, turns, thinks=asked.thinks, param="messages")
    )
    top = (asked.top_logprobs or 0) if asked.logprobs else None
    answering = Answering(
        form="chat",
        served=served,
        choices=new_choices(asked.n, models.texts, wants_logprobs=asked.logprobs, thinks=asked.thinks),
        tickets=models.submit(
            served, [prompt] * asked.n, _decodings(asked, models, served, prompt, top, thinks=asked.thinks)
        ),
        prompt_tokens=len(prompt),
        metrics=metrics,
        stopped=models.stopped,
        write_logprobs=lambda sorted_: {"content": [], **sorted_, "refusal": None},
    )
    return await _respond(request, asked, answering)


async def apply_template(request: Request, models: ModelSet) -> Response:
    """Show the prompt that an answer to a conversation would begin from, mark for mark: no answer is written.

    It is the tokens that the model would read, as text; llama.cpp has the same under this name.
    """
    asked = await read_request(request, ChatRequest)
    served = models.find(asked.model)
    turns = read_conversation(asked.messages)
    prompt = await models.in_thread(
        lambda: models.chat_prompt(served, turns, thinks=asked.thinks, param="messages")
    )
    text = served.renderer.tokenizer.decode(
        prompt, skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
    return JSONResponse({"model": served.name, "prompt": text, "tokens": len(prompt)})


async def complete(request: Request, models: ModelSet, metrics: Metrics) -> Response:
    """Continue one or more texts as they are, without a template and without a think chain of their own."""
    asked = await read_request(request, CompletionRequest)
    served = models.find(asked.model)
    prompts = await models.in_thread(lambda: _plain_prompts(models, served, asked))
    decodings = [
        decoding
        for prompt in prompts
        for decoding in _decodings(asked, models, served, prompt, asked.logprobs, thinks=False)
    ]
    answering = Answering(
        form="text",
        served=served,
        choices=new_choices(
            len(decodings), models.texts, wants_logprobs=asked.logprobs is not None, bare=True
        ),
        tickets=models.submit(served, [prompt for prompt in prompts for _ in range(asked.n)], decodings),
        prompt_tokens=sum(map(len, prompts)),
        metrics=metrics,
        stopped=models.stopped,
        write_logprobs=lambda sorted_: _as_completions_do(sorted_.get("content", [])),
    )
    return await _respond(request, asked, answering)


async def _respond(request: Request, asked: Sampling, answering: Answering) -> Response:
    if asked.stream:
        return EventStream(answering.events(with_usage=asked.wants_usage), answering.ended)
    try:
        return JSONResponse(await unless_gone(request, answering.whole()))
    finally:
        answering.ended()


def _decodings(
    asked: ChatRequest | CompletionRequest,
    models: ModelSet,
    served: Served,
    prompt: Sequence[int],
    top_logprobs: int | None,
    *,
    thinks: bool,
) -> list[Decoding]:
    """One for each choice; choices of one request differ by their seed."""
    own_penalty = thinks and asked.repetition_penalty is None
    # Seeds of clients are of any size and sign, torch's of 64 bits.
    seed = secrets.randbits(48) if asked.seed is None else asked.seed % 2**63
    return [
        Decoding(
            max_new_tokens=models.room(prompt, asked.limit),
            temperature=asked.temperature if asked.top_p > 0 else 0.0,
            top_p=asked.top_p or 1.0,
            top_k=max(asked.top_k, 0),
            seed=(seed + index) % 2**63,
            repetition_penalty=served.answerer.penalty if own_penalty else 1.0,
            stop=asked.stops,
            top_logprobs=top_logprobs,
            thinks=thinks,
        )
        for index in range(asked.n)
    ]


def _plain_prompts(models: ModelSet, served: Served, asked: CompletionRequest) -> list[list[int]]:
    prompt = asked.prompt
    several: Sequence[Any] = [prompt] if isinstance(prompt, str) or _is_tokens(prompt) else prompt
    if len(several) * asked.n > MOST_CHOICES:
        raise ApiError(
            400,
            say(
                f"一次最多 {MOST_CHOICES} 个续写（prompt 个数乘 n）。",
                f"At most {MOST_CHOICES} completions in a request (prompts times n).",
            ),
            param="prompt",
            code="invalid_value",
        )
    return [models.plain_prompt(served, one, param="prompt") for one in several]


def _is_tokens(prompt: Sequence[Any]) -> bool:
    return not prompt or isinstance(prompt[0], int)


def _as_completions_do(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Write log probabilities in the older form of `/v1/completions`."""
    offsets, at = [], 0
    tops = [entry["top_logprobs"] for entry in entries]
    for entry in entries:
        offsets.append(at)
        at += len(entry["token"])
    return {
        "tokens": [entry["token"] for entry in entries],
        "token_logprobs": [entry["logprob"] for entry in entries],
        "top_logprobs": [{one["token"]: one["logprob"] for one in top} for top in tops],
        "text_offset": offsets,
    }
