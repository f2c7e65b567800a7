"""Find think chains made of sentences that many others share.

Rows pass by one at a time; a chain is compared with those before it, so the first few of
a form are not told. Knows no file.
"""

from collections import Counter
from collections.abc import Iterable

from studio.samples.chain_clauses import MOSTLY_FORM, OFTEN, mostly_form, skeleton
from studio.samples.chain_lint import ChainRemark
from studio.samples.scheme import Scheme

KEPT = 300_000
"""Clauses that are remembered, about 40 MiB; beyond that the rarest are forgotten."""


class Boilerplate:
    """The clauses of the chains that passed by, by category."""

    def __init__(self, scheme: Scheme) -> None:
        self._scheme = scheme
        self._clauses: Counter[int] = Counter()

    def look(self, chain: str, category: str) -> ChainRemark | None:
        """A remark where most of a chain stands in clauses that several before it have."""
        clauses = {hash((category, clause)): len(clause) for clause in skeleton(chain, self._scheme)}
        common = sum(length for code, length in clauses.items() if self._clauses[code] >= OFTEN)
        self._remember(clauses)
        share = common / sum(clauses.values()) if clauses else 0.0
        return mostly_form(share) if share >= MOSTLY_FORM else None

    def _remember(self, clauses: Iterable[int]) -> None:
        self._clauses.update(iter(clauses))
        seldom = 1
        while len(self._clauses) > (KEPT if seldom == 1 else KEPT // 2):
            self._clauses = Counter({code: n for code, n in self._clauses.items() if n > seldom})
            seldom += 1
