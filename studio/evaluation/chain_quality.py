"""Compare answers with and without a think chain on the same titles, and measure how faithful chains are.

The comparison is paired by title: what counts is on how many titles one way alone is right. Pure.
Sources: McNemar's exact test; the interval of a paired difference after Bonett and Price (2012).
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from studio.contract import Prediction
from studio.evaluation.tags import concludes_with, contradicts, quote_counts
from studio.samples.scheme import Scheme
from studio.stats import Z95

COPY = 10
"""Characters in a row that a chain shares with a training chain to count as copied there."""
MOSTLY = 0.5
"""Share of copied characters from which a chain is called a copy."""


@dataclass(frozen=True, kw_only=True)
class ChainOrDirect:
    """Titles answered both ways: right by both, by one alone, by none."""

    titles: int
    both: int
    chain_alone: int
    direct_alone: int

    @property
    def chain_accuracy(self) -> float:
        """Share that the think chain gets right."""
        return (self.both + self.chain_alone) / self.titles

    @property
    def direct_accuracy(self) -> float:
        """Share that direct scoring gets right."""
        return (self.both + self.direct_alone) / self.titles

    @property
    def difference(self) -> float:
        """Accuracy of chains less that of direct scoring."""
        return self.chain_accuracy - self.direct_accuracy

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the difference (Bonett and Price)."""
        count = self.titles + 2
        more, less = (self.chain_alone + 1) / count, (self.direct_alone + 1) / count
        reach = Z95 * math.sqrt(max(0.0, more + less - (more - less) ** 2) / count)
        return max(-1.0, more - less - reach), min(1.0, more - less + reach)

    @property
    def p_value(self) -> float:
        """Chance of so uneven a split where neither way is better (McNemar's exact test, two-sided)."""
        count, fewer = self.chain_alone + self.direct_alone, min(self.chain_alone, self.direct_alone)
        tail: int = sum(math.comb(count, each) for each in range(fewer + 1))
        return min(1.0, float(2 * tail / 2**count))


def chain_or_direct(chains: Sequence[Prediction], direct: Sequence[Prediction]) -> ChainOrDirect | None:
    """Compare the two ways on the titles that both answered; None where there is none."""
    known = {row.title: row for row in direct}
    pairs = [
        (row.predicted == row.label, known[row.title].predicted == row.label)
        for row in chains
        if row.title in known
    ]
    if not pairs:
        return None
    counts = Counter(pairs)
    return ChainOrDirect(
        titles=len(pairs),
        both=counts[True, True],
        chain_alone=counts[True, False],
        direct_alone=counts[False, True],
    )


def by_category(
    chains: Sequence[Prediction], direct: Sequence[Prediction], categories: Iterable[str]
) -> dict[str, ChainOrDirect]:
    """Compare the two ways within each category that has titles."""
    found = {}
    for name in categories:
        compared = chain_or_direct([row for row in chains if row.label == name], direct)
        if compared is not None:
            found[name] = compared
    return found


@dataclass(frozen=True, kw_only=True)
class ChainQuality:
    """Numbers about chains; shares are 0 to 1, None where nothing can be counted.

    `quotes_in_title`: of all quoted phrases, those that the title has. `all_quotes_real`: of the chains that
    quote, those all of whose quotes are. `agrees`: the chain concludes with its own answer. `undecided`: it
    names no category. `copied`: most of it stands in a training chain. `distinct`: different pairs of
    characters among all pairs, over all chains.
    """

    chains: int
    quotes_in_title: float | None
    all_quotes_real: float | None
    agrees: float | None
    undecided: float | None
    characters: float
    tokens: float
    forced: int
    copied: float | None
    distinct: float


def chain_quality(
    rows: Sequence[Prediction], scheme: Scheme, training_chains: Sequence[str] = ()
) -> ChainQuality | None:
    """Measure the chains of an evaluation; None where it wrote none."""
    written = [row for row in rows if row.chain]
    if not written:
        return None
    quotes = [quote_counts(row.chain or "", row.title) for row in written]
    quoting = [(found, count) for found, count in quotes if count]
    judged = [row for row in written if row.predicted in scheme.names]
    share_copied = copied_share(training_chains) if training_chains else None
    return ChainQuality(
        chains=len(written),
        quotes_in_title=_share(sum(found for found, _ in quoting), sum(count for _, count in quoting)),
        all_quotes_real=_share(sum(found == count for found, count in quoting), len(quoting)),
        agrees=_share(sum(not contradicts(row, scheme) for row in judged), len(judged)),
        undecided=_share(sum(not _decides(row, scheme) for row in judged), len(judged)),
        characters=median(len(row.chain or "") for row in written),
        tokens=fmean(row.tokens for row in written),
        forced=sum(row.forced for row in rows),
        copied=None
        if share_copied is None
        else _share(sum(share_copied(row.chain or "") >= MOSTLY for row in written), len(written)),
        distinct=_distinct([row.chain or "" for row in written]),
    )


def _decides(row: Prediction, scheme: Scheme) -> bool:
    return any(concludes_with(row, name, scheme) for name in scheme.names if name in (row.chain or ""))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def copied_share(training_chains: Iterable[str]) -> Callable[[str], float]:
    """Return what measures the share of a chain's characters that stand in training chains, COPY in a row."""
    known = {
        chain[start : start + COPY] for chain in training_chains for start in range(len(chain) - COPY + 1)
    }

    def measure(chain: str) -> float:
        covered = [False] * len(chain)
        for start in range(len(chain) - COPY + 1):
            if chain[start : start + COPY] in known:
                covered[start : start + COPY] = [True] * COPY
        return sum(covered) / len(chain) if chain else 0.0

    return measure


def _distinct(chains: Iterable[str]) -> float:
    pairs = [chain[start : start + 2] for chain in chains for start in range(len(chain) - 1)]
    return len(set(pairs)) / len(pairs) if pairs else 0.0


def quality_by_category(
    rows: Sequence[Prediction], scheme: Scheme, training_chains: Sequence[str] = ()
) -> Mapping[str, ChainQuality]:
    """Measure the chains of each category that has some."""
    found = {}
    for name in scheme.names:
        some = chain_quality([row for row in rows if row.label == name], scheme, training_chains)
        if some is not None:
            found[name] = some
    return found
