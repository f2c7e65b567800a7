"""Let a teacher model draft think chains for labelled titles: `python -m backend.draft RUN_FOLDER`.

Reads spec.json and titles.jsonl; appends a line to drafts.jsonl as soon as a title is
drafted or has failed; ends with result.json. A draft is no decision: studio imports the
lines, and a person accepts or rejects them. Needs no torch.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Iterator
from typing import Any

from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter

from backend.clients.endpoint import Completion, CompletionFailed, Endpoint, read_endpoint_key
from backend.worker import Cancelled, RunFolder, run_worker
from studio.contract import Drafted, DraftSpec, Progress, TitleToDraft
from studio.errors import TeacherUnavailable
from studio.language import say
from studio.samples.chain_lint import ChainRemark, lint_chain
from studio.samples.scheme import Scheme, load_scheme
from studio.system.jsonl import read_lines
from studio.teacher.prompts import clean_answer, question, revision, system_prompt

log = logging.getLogger(__name__)

FAILURES_IN_A_ROW = 8
"""The endpoint counts as down after it failed this many titles in succession."""
_POLL_SECONDS = 0.2
_title: TypeAdapter[TitleToDraft] = TypeAdapter(TitleToDraft)


def draft(folder: RunFolder) -> dict[str, Any]:
    """Draft the folder's titles; return the fields of Result that drafting knows."""
    spec = folder.read_spec()
    assert isinstance(spec, DraftSpec), spec.kind
    own = folder.path / "categories.toml"
    scheme = load_scheme(own if own.is_file() else None)
    titles = list(read_lines(folder.path / "titles.jsonl", _title))
    asyncio.run(_Job(folder, spec, scheme, titles).run())
    return {}


class _Job:
    """The titles still to draft, and how the endpoint has done so far."""

    def __init__(
        self, folder: RunFolder, spec: DraftSpec, scheme: Scheme, titles: list[TitleToDraft]
    ) -> None:
        self.folder = folder
        self.spec = spec
        self.scheme = scheme
        self.total = len(titles)
        self.remaining: Iterator[TitleToDraft] = iter(titles)
        self.done = self.drafted = self.failures_in_a_row = 0
        self.last_problem = ""
        self.system = system_prompt(scheme)
        self.began = time.monotonic()
        self.endpoint = Endpoint(spec, read_endpoint_key(spec))

    async def run(self) -> None:
        """Draft every title, `concurrency` at once, until all are done or the endpoint is down."""
        self._emit_progress()
        try:
            tasks = [asyncio.create_task(self._draft_remaining()) for _ in range(self.spec.concurrency)]
            await self._wait_for(tasks)
        finally:
            await self.endpoint.close()
        if self.total and not self.drafted:
            raise self._endpoint_down()

    async def _wait_for(self, tasks: list[asyncio.Task[None]]) -> None:
        """Wait for all tasks; the first error, or a cancel, ends the others."""
        try:
            pending = set(tasks)
            while pending:
                done, pending = await asyncio.wait(
                    pending, timeout=_POLL_SECONDS, return_when=asyncio.FIRST_EXCEPTION
                )
                for task in done:
                    task.result()
                if pending and self.folder.cancel_requested:
                    raise Cancelled
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _draft_remaining(self) -> None:
        for title in self.remaining:
            self.folder.append("drafts.jsonl", await self._draft(title))
            self.done += 1
            self._emit_progress()
            if self.failures_in_a_row >= FAILURES_IN_A_ROW:
                raise self._endpoint_down()

    async def _draft(self, title: TitleToDraft) -> Drafted:
        """Draft one title, or record why there is no draft."""
        messages = _messages(self.system, title, self.scheme)
        try:
            answer = await self._complete(messages)
        except CompletionFailed as failure:
            self.failures_in_a_row = self.failures_in_a_row + 1 if failure.is_endpoint else 0
            self.last_problem = failure.problem
            log.warning("title %d: %s", title.title_id, failure.problem)
            return _failed(title, failure.problem, attempts=failure.attempts)
        self.failures_in_a_row = 0
        chain = clean_answer(answer.text)
        findings = lint_chain(title.title, chain, title.category, self.scheme) if chain else []
        if findings and self.spec.revise:
            chain, findings, answer = await self._revise(title, messages, chain, findings, answer)
        if not chain:
            self.last_problem = say("回答里没有思维链", "the answer has no think chain")
            return _failed(title, self.last_problem, answer=answer)
        self.drafted += 1
        return Drafted(
            **title.model_dump(),
            chain=chain,
            remarks=tuple(finding.code for finding in findings),
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            attempts=answer.attempts,
        )

    async def _complete(self, messages: list[ChatCompletionMessageParam]) -> Completion:
        return await self.endpoint.complete(
            messages, max_tokens=self.spec.max_tokens, temperature=self.spec.temperature
        )

    async def _revise(
        self,
        title: TitleToDraft,
        messages: list[ChatCompletionMessageParam],
        chain: str,
        findings: list[ChainRemark],
        answer: Completion,
    ) -> tuple[str, list[ChainRemark], Completion]:
        """Ask once for a revision; keep the draft with fewer remarks, and sum the tokens of both."""
        again: list[ChatCompletionMessageParam] = [
            *messages,
            {"role": "assistant", "content": chain},
            {"role": "user", "content": revision(findings)},
        ]
        try:
            second = await self._complete(again)
        except CompletionFailed as failure:
            log.warning("title %d keeps its first draft: %s", title.title_id, failure.problem)
            return chain, findings, answer
        paid = Completion(
            text="",
            prompt_tokens=answer.prompt_tokens + second.prompt_tokens,
            completion_tokens=answer.completion_tokens + second.completion_tokens,
            attempts=answer.attempts + second.attempts,
        )
        better = clean_answer(second.text)
        left = lint_chain(title.title, better, title.category, self.scheme)
        return (better, left, paid) if better and len(left) < len(findings) else (chain, findings, paid)

    def _emit_progress(self) -> None:
        seconds = time.monotonic() - self.began
        eta = seconds / self.done * (self.total - self.done) if self.done else None
        self.folder.emit(Progress(phase="drafting", done=self.done, total=self.total, eta_seconds=eta))

    def _endpoint_down(self) -> TeacherUnavailable:
        return TeacherUnavailable(
            say(
                f"{self.spec.base_url} 接连没有给出可用的回答，最后一次：{self.last_problem}",
                f"{self.spec.base_url} gave no usable answer several times in a row. "
                f"The last time: {self.last_problem}",
            ),
            remedy=say(
                "请检查地址、网络和接口是否在运行，然后点“继续”；已写好的草稿都在。",
                "Check the address, the network and that the endpoint is running, then resume; "
                "the drafts so far are kept.",
            ),
        )


def _messages(system: str, title: TitleToDraft, scheme: Scheme) -> list[ChatCompletionMessageParam]:
    return [
        {"role": "system", "content": system},
        {"role": "user", "content": question(title.title, title.category, scheme)},
    ]


def _failed(
    title: TitleToDraft, problem: str, *, attempts: int = 1, answer: Completion | None = None
) -> Drafted:
    return Drafted(
        **title.model_dump(),
        chain=None,
        problem=problem,
        prompt_tokens=answer.prompt_tokens if answer else 0,
        completion_tokens=answer.completion_tokens if answer else 0,
        attempts=answer.attempts if answer else attempts,
    )


def main() -> int:
    """Entry of `python -m backend.draft`."""
    # At debug level these log whole requests.
    for name in ("openai", "httpx", "httpx2", "httpcore", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return run_worker(draft)


if __name__ == "__main__":
    sys.exit(main())
