"""Sample batches in a resumable order, and pack them without padding.

The order is a function of seed and epoch alone, not of a random state that something
else advances: a resumed run, and a run on another number of processes, learn from the
same samples in the same optimizer steps.

T tokens of a sample, N tokens of a packed batch. This module knows lengths and tensors, no model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch.utils.data import Dataset, Sampler

from backend.data.encoding import IGNORED, Sample

POOL = 50
"""Optimizer steps whose samples are sorted by length together, as transformers does."""


@dataclass(frozen=True, kw_only=True)
class BatchLayout:
    """How an optimizer step is split: `batch_size` rows at once, `accumulation` times, on each process."""

    batch_size: int
    accumulation: int = 1
    processes: int = 1
    rank: int = 0

    @property
    def round_rows(self) -> int:
        """Rows that all processes see at once."""
        return self.batch_size * self.processes

    @property
    def step_rows(self) -> int:
        """Rows of one optimizer step."""
        return self.round_rows * self.accumulation


class BatchSampler(Sampler[list[int]]):
    """Samples the batches of one process, epoch by epoch; every process gets the same number of them.

    An index below 0 is a dummy, `~row`: it keeps a process in step that has no row left
    in the last batches of an epoch, and it must not be learned (see SampleDataset).

    Args:
        lengths: tokens of each sample.
        layout: how a step is split.
        seed: None for a fixed order, as evaluation wants it.
        padded: batches of like length, so that little is padded; else batches of like size in
            tokens from an unsorted order, which learns from a mix.
    """

    def __init__(
        self, lengths: Sequence[int], layout: BatchLayout, *, seed: int | None, padded: bool
    ) -> None:
        self.lengths, self.layout, self.seed, self.padded = lengths, layout, seed, padded
        self.epoch = 0

    def __len__(self) -> int:
        whole, rest = divmod(len(self.lengths), self.layout.step_rows)
        return whole * self.layout.accumulation + -(-rest // self.layout.round_rows)

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps():
            parts = self._parts(step)
            for start in range(0, len(parts), self.layout.processes):
                yield parts[start + self.layout.rank] or [~step[0]]

    def steps(self) -> list[list[int]]:
        """Group the rows of this epoch into optimizer steps; the last one may be smaller."""
        size = self.layout.step_rows
        order = self._shuffled(len(self.lengths), of=0)
        if not self.padded:
            return _chunks(order, size)
        pools = [sorted(pool, key=self._tokens, reverse=True) for pool in _chunks(order, POOL * size)]
        steps = [step for pool in pools for step in _chunks(pool, size)]
        # Shuffled again: sorted steps would show all long samples first, then all short ones.
        whole = steps[: len(self.lengths) // size]
        return [whole[index] for index in self._shuffled(len(whole), of=1)] + steps[len(whole) :]

    def _parts(self, step: list[int]) -> list[list[int]]:
        """Split a step into batches: those of round 0 for each process, then of round 1, ..."""
        by_length = sorted(step, key=self._tokens, reverse=True)
        rounds = _chunks(by_length, self.layout.round_rows)
        if self.padded:
            return [part for rows in rounds for part in _evenly(rows, self.layout.processes)]
        parts: list[list[int]] = [[] for _ in range(len(rounds) * self.layout.processes)]
        tokens = [0] * len(parts)
        for row in by_length:
            free = [index for index, part in enumerate(parts) if len(part) < self.layout.batch_size]
            smallest = min(free, key=lambda index: tokens[index])
            parts[smallest].append(row)
            tokens[smallest] += self._tokens(row)
        return parts

    def _tokens(self, row: int) -> int:
        return self.lengths[row]

    def _shuffled(self, count: int, *, of: int) -> list[int]:
        if self.seed is None:
            return list(range(count))
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + self.epoch) * 2 + of)
        return torch.randperm(count, generator=generator).tolist()


def _chunks(rows: list[int], size: int) -> list[list[int]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _evenly(rows: list[int], parts: int) -> list[list[int]]:
    """Split the rows, in their order, into `parts` runs whose sizes differ by one at most."""
    ends = [len(rows) * part // parts for part in range(parts + 1)]
    # Larger runs first: a process that has none is the last one.
    sizes = sorted((end - start for start, end in pairwise(ends)), reverse=True)
    starts = [sum(sizes[:part]) for part in range(parts)]
    return [rows[start : start + size] for start, size in zip(starts, sizes, strict=True)]


class SampleDataset(Dataset[Sample]):
    """Samples by their row, and dummies without any weight in the loss by `~row`."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, row: int) -> Sample:
        if row >= 0:
            return self.samples[row]
        sample = self.samples[~row]
        return {
            **sample,
            "labels": torch.full_like(sample["labels"], IGNORED),
            "weights": torch.zeros_like(sample["weights"]),
        }


@dataclass(frozen=True)
class PackingCollator:
    """Packs the samples of a batch into one row without padding.

    Positions start at 0 with every sample. There is no attention mask: transformers
    separates packed samples by their positions, and only where no mask is given.

    Args:
        varlen: also return the sample boundaries for varlen attention, under the names of
            transformers: `cu_seq_lens_q/k` and `max_length_q/k`.
    """

    varlen: bool = False

    def __call__(self, samples: Sequence[Sample]) -> dict[str, Any]:
        """Pack samples: (1, N) of each, and the boundaries (S + 1,) of S samples."""
        lengths = [len(sample["input_ids"]) for sample in samples]
        batch: dict[str, Any] = {
            key: torch.cat([sample[key] for sample in samples])[None]
            for key in ("input_ids", "labels", "weights")
        }
        batch["position_ids"] = torch.cat([torch.arange(length) for length in lengths])[None]
        # A sample's first token is nobody's next token.
        batch["labels"] = batch["labels"].masked_fill(batch["position_ids"] == 0, IGNORED)
        if self.varlen:
            ends = torch.tensor([0, *lengths]).cumsum(0).int()
            batch |= {"cu_seq_lens_q": ends, "cu_seq_lens_k": ends}
            batch |= {"max_length_q": max(lengths), "max_length_k": max(lengths)}
        return batch
