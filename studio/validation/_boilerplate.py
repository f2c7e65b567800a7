"""Detect boilerplate think chains: clauses that many others share.

Rows are streamed one at a time; a chain is compared with those before it, so the first
few of a form are not reported. Knows no file.
"""

from collections import Counter
from collections.abc import Iterable

from studio.samples.chain_clauses import MOSTLY_FORM, OFTEN, mostly_form, skeleton
from studio.samples.chain_lint import ChainRemark
from studio.samples.scheme import Scheme

KEPT = 300_000
"""Clauses that are counted, about 40 MiB; beyond that the rarest are dropped."""


class Boilerplate:
    """Counts the clauses of the chains so far, by category."""

    def __init__(self, scheme: Scheme) -> None:
        self._scheme = scheme
        self._clauses: Counter[int] = Counter()

    def compare(self, chain: str, category: str) -> ChainRemark | None:
        """Compare a chain with those before it; returns a remark if most of it is shared clauses."""
        clauses = {hash((category, clause)): len(clause) for clause in skeleton(chain, self._scheme)}
        common = sum(length for code, length in clauses.items() if self._clauses[code] >= OFTEN)
        self._count(clauses)
        share = common / sum(clauses.values()) if clauses else 0.0
        return mostly_form(share) if share >= MOSTLY_FORM else None

    def _count(self, clauses: Iterable[int]) -> None:
        self._clauses.update(iter(clauses))
        rare = 1
        while len(self._clauses) > (KEPT if rare == 1 else KEPT // 2):
            self._clauses = Counter({code: n for code, n in self._clauses.items() if n > rare})
            rare += 1
