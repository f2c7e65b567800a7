"""Classify titles (`POST /v1/classify`): one category with its confidence, and what speaks against it."""

import asyncio
from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from backend.data.templates import THOUGHT
from backend.engine.loop import EngineStopped
from backend.engine.requests import Piece
from backend.serving.bodies import read_request
from backend.serving.calibration import Rule
from backend.serving.errors import ApiError
from backend.serving.evidence import find_evidence
from backend.serving.metrics import Metrics
from backend.serving.protocol import MOST_TITLES, ClassifyRequest
from backend.serving.served_models import ModelSet, Served
from backend.serving.waiting import unless_gone
from studio.language import say
from studio.samples.canonical import exact_category, read_answer, write_question
from studio.samples.title_text import clean_title

PORTION = 16
"""Titles scored between two steps of the answers of others."""
AT_ONCE = 32
"""Chains of one request in the queue at once, so that a thousand titles leave room for others."""
_RETRY_SECONDS = 0.05


async def classify(request: Request, models: ModelSet, metrics: Metrics) -> Response:
    """Classify titles, in the order given."""
    asked = await read_request(request, ClassifyRequest)
    served = models.find(asked.model)
    _require_titles(asked.titles)
    work = _Work(asked, models, served)
    results = await unless_gone(request, work.results())
    for result in results:
        metrics.classified.labels(served.name, asked.answer, result["category"] or "unparsed").inc()
    metrics.prompt_tokens.labels(served.name).inc(work.prompt_tokens)
    metrics.completion_tokens.labels(served.name).inc(work.written_tokens)
    document = {"model": served.name, "threshold": work.rule.threshold, "threshold_from": work.rule.source}
    return JSONResponse({**document, "results": results})


def _require_titles(titles: Sequence[str]) -> None:
    """Refuse too many titles, and blank ones by their number.

    Raises:
        ApiError: 400, with the reason.
    """
    if len(titles) > MOST_TITLES:
        raise ApiError(
            400,
            say(
                f"一次最多 {MOST_TITLES} 个标题，这里有 {len(titles)} 个：请分几次发送。",
                f"At most {MOST_TITLES} titles in a request, here are {len(titles)}: send them in parts.",
            ),
            param="titles",
            code="too_many_titles",
        )
    blank = [number for number, title in enumerate(titles) if not clean_title(title)]
    if blank:
        numbers = [str(number + 1) for number in blank[:20]]
        more = len(blank) - len(numbers)
        raise ApiError(
            400,
            say(
                f"第 {'、'.join(numbers)} 个标题{f'等 {len(blank)} 个' if more else ''}"
                "是空白的（从 1 数起），没有可分类的内容。",
                f"Blank, counted from 1: title {', '.join(numbers)}{f' and {more} more' if more else ''}. "
                "There is nothing to classify.",
            ),
            param=f"titles[{blank[0]}]",
            code="blank_title",
        )


class _Work:
    """The classification of one request's titles."""

    def __init__(self, asked: ClassifyRequest, models: ModelSet, served: Served) -> None:
        self.asked = asked
        self.models = models
        self.served = served
        self.rule = Rule.of(
            served.calibration.of(asked.answer), request=asked.threshold, server=models.spec.threshold
        )
        quotes = asked.quotes_from_title
        self.quotes_from_title = models.spec.quotes_from_title if quotes is None else quotes
        self.prompt_tokens = 0
        self.written_tokens = 0

    async def results(self) -> list[dict[str, Any]]:
        """Classify all titles."""
        # First of all, so that a title which is too long costs nobody a computation.
        prompts = await self.models.in_thread(self._prompts)
        self.prompt_tokens = sum(map(len, prompts))
        scored = await self._scores()
        if self.asked.answer == "chain":
            written = await self._chains(prompts)
        else:
            written = [None] * len(scored)
        results = [
            self._result(title, probabilities, text)
            for title, probabilities, text in zip(self.asked.titles, scored, written, strict=True)
        ]
        if self.asked.evidence:
            await self._add_evidence(results, scored)
        return results

    def _prompts(self) -> list[list[int]]:
        if self.quotes_from_title:
            _ = self.served.answerer.token_bytes  # kept there; of a large vocabulary it takes a moment
        question = self.models.scheme.prompt
        return [
            self.models.chat_prompt(
                self.served,
                [{"role": "user", "content": write_question(question, title)}],
                thinks=True,
                param=f"titles[{index}]",
            )
            for index, title in enumerate(self.asked.titles)
        ]

    async def _scores(self) -> list[dict[str, float]]:
        """Score directly, also beside chains: after a chain its own category is all but certain."""
        found: list[dict[str, float]] = []
        for start in range(0, len(self.asked.titles), PORTION):
            found += await self.models.score(self.served, self.asked.titles[start : start + PORTION])
        return found

    async def _chains(self, prompts: Sequence[Sequence[int]]) -> list[tuple[str, bool] | None]:
        places = asyncio.Semaphore(AT_ONCE)

        async def one(title: str, prompt: Sequence[int]) -> tuple[str, bool]:
            async with places:
                return await self._chain(title, prompt)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(one(*both)) for both in zip(self.asked.titles, prompts, strict=True)
                ]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return [task.result() for task in tasks]

    async def _chain(self, title: str, prompt: Sequence[int]) -> tuple[str, bool]:
        """Write one chain answer; returns its text, and whether it came to its end."""
        constraints = self.served.answerer.constraints(title, quotes_from_title=self.quotes_from_title)
        decoding = self.served.answerer.decoding(self.models.room(prompt, None))
        while True:
            try:
                (ticket,) = self.models.submit(self.served, [prompt], [decoding], constraints)
                break
            except ApiError:
                if self.written_tokens == 0:
                    raise
                # Half done: what was computed is worth more than a quick refusal.
                await asyncio.sleep(_RETRY_SECONDS)
        text, last = THOUGHT, Piece("")
        try:
            async for last in ticket.apieces():
                text += last.text
                self.written_tokens += last.tokens
        except EngineStopped as error:
            raise self.models.stopped() from error
        finally:
            ticket.cancel()
        return text, last.finish == "stop"

    def _result(
        self, title: str, probabilities: dict[str, float], written: tuple[str, bool] | None
    ) -> dict[str, Any]:
        result: dict[str, Any] = {"title": title}
        if written is None:
            category: str | None = max(probabilities, key=lambda name: probabilities[name])
            chain, text = None, ""
        else:
            text, finished = written
            read = read_answer(text)
            category = exact_category(read.label, self.models.scheme.names) if finished else None
            chain = read.chain
        judged = self.rule.judge(category, probabilities)
        result |= {"category": category, **judged, **standing(category, probabilities, judged["confidence"])}
        return {**result, "probabilities": probabilities, "chain": chain, "text": text}

    async def _add_evidence(
        self, results: Sequence[dict[str, Any]], scored: Sequence[dict[str, float]]
    ) -> None:
        categories = [result["category"] or result["direct_category"] for result in results]
        found = await find_evidence(self.models, self.served, self.asked.titles, categories, scored)
        for result, evidence in zip(results, found, strict=True):
            result["evidence"] = evidence


def standing(
    category: str | None, probabilities: dict[str, float], confidence: float | None
) -> dict[str, Any]:
    """Say how the two ways of answering stand to one another: which category each has, and in words.

    Where the chain leads elsewhere than direct scoring, and nobody calibrated chains, there is no
    confidence: the probabilities are of another answer.
    """
    direct = max(probabilities, key=lambda name: probabilities[name])
    agree = category == direct
    note = None
    if category is None:
        note = say(
            f"思维链没有得出类别；直接判断是“{direct}”。",
            f"The think chain came to no category; direct scoring says {direct}.",
        )
    elif not agree and confidence is None:
        note = say(
            f"思维链得出“{category}”，直接判断是“{direct}”：两种做法不一致，没有置信度。",
            f"The think chain says {category}, direct scoring says {direct}: they disagree, so there is no "
            "confidence.",
        )
    elif not agree:
        note = say(
            f"思维链得出“{category}”，直接判断是“{direct}”：两种做法不一致，置信度已经计入。",
            f"The think chain says {category}, direct scoring says {direct}: they disagree, which the "
            "confidence accounts for.",
        )
    return {
        "direct_category": direct,
        "ways_agree": agree if category is not None else None,
        "note": note,
    }
