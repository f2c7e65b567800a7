"""Answer requests as they come and go: continuous batching over one model.

A finished row leaves, a waiting one enters; beginnings that requests share are computed once; a
row ends at the end token, at a stop text, when its constraints are met, or when nobody waits any
more. An answer does not depend on what else is computed.
"""

import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from backend.engine.attention import engine_attention
from backend.engine.constraints import Restriction
from backend.engine.decoder import Decoder
from backend.engine.detokenizer import Detokenizer
from backend.engine.prefixes import SHORTEST, Prefix, PrefixStore, common_length
from backend.engine.requests import Answer, FinishReason, Piece, Request, TokenLogprob
from backend.engine.rows import NEVER, Start
from backend.engine.sampling import Chosen, Marks, Plan, TokenChooser

log = logging.getLogger(__name__)

ANSWER_TOKENS = 16
"""Tokens of the limit that are reserved for the answer after the thought."""

_PLACES_STEP = 64
"""The cache grows by this many places at a time."""


@dataclass(eq=False)
class Job:
    """A request on its way: waiting, live in a row, or ended.

    `fresh` are the pieces that nobody has taken yet.
    """

    request: Request
    number: int
    ids: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish: FinishReason | None = None
    forced: bool = False
    inside: bool = True
    cancelled: bool = False
    row: int = -1
    detokenizer: Detokenizer | None = None
    restrictions: list[Restriction] = field(default_factory=list)
    text: str = ""
    on_piece: Callable[[Piece], None] | None = None

    @property
    def longest(self) -> int:
        """Count the places that it may need."""
        return len(self.request.prompt) + self.request.decoding.max_new_tokens + 1


@dataclass(frozen=True, eq=False)
class _Launch:
    """A step whose tokens are not read yet: the rows as they stood, and what comes for each.

    `fetched`: token, inside and forced, (3, B), on the host once `done` has happened.
    """

    jobs: list[Job]
    fetched: Tensor
    chosen: Chosen | None
    done: torch.cuda.Event | None


class Engine:
    """Answers many requests with one model, a bounded number of them at a time.

    Not thread-safe: see loop.EngineLoop. Greedy unless a request says otherwise.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: Any,
        marks: Marks,
        *,
        slots: int = 64,
        prefill_tokens: int | None = None,
    ) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.marks = marks
        self.slots = slots
        device = next(model.parameters()).device
        self.prefill_tokens = prefill_tokens or (16384 if device.type == "cuda" else 2048)
        self.decoder = Decoder(model, TokenChooser(marks, device), rows=1, places=_PLACES_STEP)
        self.prefixes = PrefixStore()
        self.waiting: deque[Job] = deque()
        self.live: list[Job] = []
        self._numbers = itertools.count()
        self._launched: deque[_Launch] = deque()

    def submit(self, request: Request, on_piece: Callable[[Piece], None] | None = None) -> Job:
        """Queue a request; `on_piece` gets its text as it comes."""
        job = Job(
            request,
            next(self._numbers),
            inside=request.decoding.thinks,
            restrictions=[constraint.start() for constraint in request.constraints],
            on_piece=on_piece,
        )
        if on_piece or request.decoding.stop:
            job.detokenizer = Detokenizer(self.tokenizer, request.decoding.stop)
        self.waiting.append(job)
        return job

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything."""
        return bool(self.waiting or self.live or self._launched)

    def run(
        self, requests: Sequence[Request], *, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[int, Answer]]:
        """Answer requests, each as it finishes: (its index, its answer). `stop` cancels the rest."""
        order = sorted(range(len(requests)), key=lambda index: len(requests[index].prompt))
        self.share_beginning(requests)
        jobs = {self.submit(requests[index]).number: index for index in order}
        try:
            while self.has_work:
                if stop():
                    for job in (*self.waiting, *self.live):
                        job.cancelled = True
                for job in self.step():
                    yield jobs[job.number], self.answer(job)
        finally:
            # Also when the caller stops iterating: what it will not take is not computed.
            self.cancel(*self.waiting, *self.live)

    def cancel(self, *jobs: Job) -> None:
        """End jobs that nobody waits for, if they have not ended, and free their rows."""
        for job in jobs:
            job.cancelled = True
        while any(job.finish is None for job in jobs):
            self.step()

    def answer(self, job: Job) -> Answer:
        """Return the answer of an ended job."""
        assert job.finish is not None
        ends = job.ids[-1:] and job.ids[-1] in self.marks.end
        ids = tuple(job.ids[:-1] if ends else job.ids)
        # Where a stop text was asked for, the detokenizer cut it off.
        text = job.text if job.detokenizer else self.tokenizer.decode(ids, skip_special_tokens=True)
        return Answer(text=text, ids=ids, finish=job.finish, forced=job.forced, logprobs=tuple(job.logprobs))

    def share_beginning(self, requests: Sequence[Request]) -> None:
        """Compute what all requests begin with, once, and remember it."""
        if len(requests) < 2 or len({request.adapter for request in requests}) > 1:
            return
        common = common_length([request.prompt[:-1] for request in requests])
        if common < SHORTEST or self.live or self._launched:
            return
        found = self.prefixes.find([*requests[0].prompt[:common], -1], 0)
        if found is None or found[1] < common:
            self._remember(requests[0].prompt[:common])

    @torch.inference_mode()
    def _remember(self, ids: Sequence[int]) -> None:
        with engine_attention(self.model):
            self.decoder.reserve(1, _rounded(len(ids) + 1))
            self.decoder.prefill(0, [ids], 0)
            self.prefixes.add(Prefix(tuple(ids), 0, self.decoder.cache.copy_out(0, len(ids))))

    @torch.inference_mode()
    def step(self) -> list[Job]:
        """Compute one token of every live row; return the jobs that ended."""
        with engine_attention(self.model):
            ended = self._drop_cancelled()
            self._admit()
            if self.live:
                self._launch()
            # One step ahead on a GPU: the host reads the last tokens while the next are computed.
            while len(self._launched) > (1 if self._runs_ahead() else 0):
                ended += self._collect()
            return ended

    def _runs_ahead(self) -> bool:
        return bool(self.live) and self.decoder.has_kernel and not any(job.restrictions for job in self.live)

    def _drop_cancelled(self) -> list[Job]:
        dropped = [job for job in self.waiting if job.cancelled]
        if dropped:
            self.waiting = deque(job for job in self.waiting if not job.cancelled)
        dropped += [job for job in self.live if job.cancelled]
        for job in dropped:
            self._end(job, "cancelled")
        self._compact()
        return dropped

    def _admit(self) -> None:
        """Move waiting jobs into free rows and compute their prompts but for the last token."""
        free = self.slots - len(self.live)
        if not free or not self.waiting:
            return
        new = [self.waiting.popleft() for _ in range(min(free, len(self.waiting)))]
        first = len(self.live)
        longest = max(job.longest for job in (*self.live, *new))
        self.decoder.reserve(_rounded_rows(first + len(new), self.slots), _rounded(longest))
        found = {job.number: self.prefixes.find(job.request.prompt, 0) for job in new}

        def start_of(job: Job) -> int:
            prefix = found[job.number]
            return prefix[1] if prefix else 0

        # Rows of one start and of like length are computed together.
        new.sort(key=lambda job: (start_of(job), tuple(job.request.prompt)))
        new.sort(key=lambda job: (start_of(job), len(job.request.prompt)))
        for offset, job in enumerate(new):
            job.row = first + offset
        self.live += new
        self._load(new, first)
        for start, group in itertools.groupby(new, key=start_of):
            self._prefill(list(group), start, found)

    def _load(self, new: Sequence[Job], first: int) -> None:
        self.decoder.state.load(
            first,
            [
                Start(
                    token=job.request.prompt[-1],
                    length=len(job.request.prompt) - 1,
                    decoding=job.request.decoding,
                    closes_at=max(job.request.decoding.max_new_tokens - ANSWER_TOKENS, 1)
                    if job.request.decoding.thinks
                    else NEVER,
                )
                for job in new
            ],
        )

    def _prefill(self, jobs: list[Job], start: int, found: dict[int, tuple[Prefix, int] | None]) -> None:
        cache = self.decoder.cache
        copies: list[tuple[int, int]] = []
        batch: list[Job] = []
        longest = 0

        def compute() -> None:
            if batch:
                prompts = [job.request.prompt[start:-1] for job in batch]
                if max(map(len, prompts)):
                    self.decoder.prefill(batch[0].row, prompts, start)
                batch.clear()

        for job in jobs:
            if prefix := found[job.number]:
                stored = [(key[:, :start], value[:, :start]) for key, value in prefix[0].stored]
                cache.copy_in((job.row, job.row + 1), stored)
        previous: Job | None = None
        for job in jobs:
            if previous is not None and job.request.prompt == previous.request.prompt:
                # Samples of one prompt stand beside one another: the first one's keys are copied.
                copies.append((previous.row, job.row))
                continue
            longest = max(longest, len(job.request.prompt) - start)
            if batch and (longest * (len(batch) + 1) > self.prefill_tokens or batch[-1].row + 1 != job.row):
                compute()
                longest = len(job.request.prompt) - start
            batch.append(job)
            previous = job
        compute()
        if copies:
            device = self.decoder.device
            source, target = (torch.tensor(rows, device=device) for rows in zip(*copies, strict=True))
            cache.move(source, target, max(len(job.request.prompt) for job in jobs))

    def _launch(self) -> None:
        """Start a step; its tokens are collected later."""
        count = len(self.live)
        allowed = []
        for row, job in enumerate(self.live):
            ids = _allowed(job)
            if ids is not None:
                allowed.append((row, ids.to(self.decoder.device)))
        longest = max(len(job.request.prompt) + len(job.ids) for job in self.live) - 1
        plan = self._plan()
        # What is launched and not collected has grown the rows already.
        chosen = self.decoder.decode(count, longest + len(self._launched), plan, allowed)
        view = self.decoder.state.view(count)
        fetched = torch.stack([view.token, view.inside, view.forced])
        if fetched.is_cuda:
            host = torch.empty(fetched.shape, dtype=fetched.dtype, pin_memory=True)
            fetched = host.copy_(fetched, non_blocking=True)
            chosen = chosen and Chosen(
                *(x[:count].clone() for x in (chosen.logprobs, chosen.top_ids, chosen.top_logprobs))
            )
        event = torch.cuda.Event() if self.decoder.device.type == "cuda" else None
        if event:
            event.record()
        self._launched.append(_Launch(list(self.live), fetched, chosen, event))

    def _plan(self) -> Plan:
        decodings = [job.request.decoding for job in self.live]
        logprobs = [d.top_logprobs for d in decodings if d.top_logprobs is not None]
        samples = any(d.temperature > 0 for d in decodings)
        return Plan(
            samples=samples,
            sorts=samples and any(d.temperature > 0 and (d.top_p < 1 or d.top_k > 0) for d in decodings),
            penalizes=any(d.repetition_penalty != 1 for d in decodings),
            thinks=any(d.thinks for d in decodings),
            top_logprobs=max(logprobs) if logprobs else None,
        )

    def _collect(self) -> list[Job]:
        """Read the tokens of the oldest step that was launched; return the jobs that ended with them."""
        launch = self._launched.popleft()
        if launch.done:
            launch.done.synchronize()
        tokens, insides, forceds = launch.fetched.tolist()
        recorded = _recorded(launch.chosen)
        ended: list[Job] = []
        for row, job in enumerate(launch.jobs):
            if job.finish is not None:
                continue
            job.forced = bool(forceds[row])
            self._push(job, tokens[row], was_inside=job.inside, logprob=recorded and recorded[row])
            job.inside = bool(insides[row])
            if job.finish is not None:
                ended.append(job)
        if ended and not self._launched:
            self._compact()
        return ended

    def _push(self, job: Job, token: int, *, was_inside: bool, logprob: Any) -> None:
        decoding = job.request.decoding
        job.ids.append(token)
        for restriction in job.restrictions:
            restriction.push(token, was_inside)
        recorded: tuple[TokenLogprob, ...] = ()
        if logprob and decoding.top_logprobs is not None:
            value, ids, values = logprob
            top = tuple(zip(ids, values, strict=True))[: decoding.top_logprobs]
            recorded = (TokenLogprob(token, value, top),)
            job.logprobs += recorded
        ends = token in self.marks.end
        text = ""
        if job.detokenizer and not ends:
            text = job.detokenizer.push([token])
        if ends or (job.detokenizer and job.detokenizer.stopped) or any(r.complete for r in job.restrictions):
            self._end(job, "stop", text, recorded)
        elif len(job.ids) >= decoding.max_new_tokens:
            self._end(job, "length", text, recorded)
        elif job.detokenizer:
            job.text += text
            if job.on_piece:
                job.on_piece(Piece(text, 1, recorded))

    def _end(
        self, job: Job, finish: FinishReason, text: str = "", recorded: tuple[TokenLogprob, ...] = ()
    ) -> None:
        job.finish = finish
        if job.detokenizer:
            text += job.detokenizer.finish()
            job.text += text
        if job.on_piece:
            job.on_piece(Piece(text, 0 if finish == "cancelled" else 1, recorded, finish))

    def _compact(self) -> None:
        """Close the gaps that ended rows leave: the last live rows move into them."""
        count = sum(job.finish is None for job in self.live)
        if count == len(self.live):
            return
        gaps = [row for row, job in enumerate(self.live[:count]) if job.finish is not None]
        movers = [job for job in self.live[count:] if job.finish is None]
        if movers:
            device = self.decoder.device
            source = torch.tensor([job.row for job in movers], device=device)
            target = torch.tensor(gaps, device=device)
            longest = max(len(job.request.prompt) + len(job.ids) for job in movers) + len(self._launched)
            self.decoder.cache.move(source, target, min(longest + 1, self.decoder.cache.places))
            self.decoder.state.move(source, target)
            for row, job in zip(gaps, movers, strict=True):
                job.row = row
                self.live[row] = job
        del self.live[count:]


def _allowed(job: Job) -> Tensor | None:
    """Intersect what a job's constraints allow; None: any token."""
    found: Tensor | None = None
    for restriction in job.restrictions:
        ids = restriction.allowed(job.inside)
        if ids is not None:
            found = ids if found is None else found[torch.isin(found, ids)]
    return found


def _recorded(chosen: Chosen | None) -> list[tuple[float, list[int], list[float]]] | None:
    if chosen is None:
        return None
    return list(
        zip(chosen.logprobs.tolist(), chosen.top_ids.tolist(), chosen.top_logprobs.tolist(), strict=True)
    )


def _rounded(places: int) -> int:
    return -(-places // _PLACES_STEP) * _PLACES_STEP


def _rounded_rows(count: int, slots: int) -> int:
    """Allocate rows as they are needed, doubling, up to all."""
    return min(1 << (count - 1).bit_length(), max(slots, count))
