"""Log any number of problems: counted as they come, on disk beyond a few.

A file of a million rows may have a problem in each; as objects they would take a
gigabyte. Knows no row and no check.
"""

import heapq
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import IO

from studio.language import packed, unpacked
from studio.samples.problems import Problem, Severity

HELD = 20_000
"""Problems that are held as objects, about 15 MiB; the rest goes to a temporary file."""
_PIECE = 1 << 20
"""Bytes of the file that are read at once."""
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "hint")
"""The gravest first."""


def _nameless_file() -> IO[bytes]:
    # It has no name: the system removes it with the last reference to it.
    return tempfile.TemporaryFile(prefix="news-studio-")


class ProblemLog(Iterable[Problem]):
    """Problems in the order in which they were added; can be iterated repeatedly once all are added."""

    def __init__(self, problems: Iterable[Problem] = ()) -> None:
        self._held: list[Problem] = []
        self._file: IO[bytes] | None = None
        self._codes: Counter[str] = Counter()
        self._severities: Counter[str] = Counter()
        for problem in problems:
            self.add(problem)

    def add(self, problem: Problem) -> None:
        """Append a problem."""
        self._codes[problem.code] += 1
        self._severities[problem.severity] += 1
        if len(self._held) < HELD:
            self._held.append(problem)
            return
        if self._file is None:
            self._file = _nameless_file()
        self._file.seek(0, os.SEEK_END)
        entry = {**problem.to_json(), "message": packed(problem.message)}
        self._file.write(json.dumps(entry).encode() + b"\n")

    def __len__(self) -> int:
        return self._codes.total()

    def __iter__(self) -> Iterator[Problem]:
        yield from self._held
        offset = 0
        while self._file is not None:
            self._file.seek(offset)  # two iterations at once share the file, not their offsets in it
            lines = self._file.readlines(_PIECE)
            offset = self._file.tell()
            if not lines:
                return
            for line in lines:
                entry = json.loads(line)
                yield Problem(**{**entry, "message": unpacked(entry["message"])})

    @property
    def counts(self) -> dict[str, int]:
        """How often each code occurs, the most frequent first."""
        return dict(self._codes.most_common())

    def count(self, severity: Severity) -> int:
        """Count the problems of one severity."""
        return self._severities[severity]

    def worst(self, limit: int) -> list[Problem]:
        """Return the first problems, errors before warnings before hints."""
        return heapq.nsmallest(limit, self, key=lambda problem: SEVERITIES.index(problem.severity))
