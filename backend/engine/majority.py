"""Answer each title several times, and take the category that most samples name (self-consistency)."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from backend.engine.titles import Answering, Written, never
from studio.contract import UNPARSED, EngineUsed
from studio.samples.canonical import exact_category, read_answer
from studio.samples.scheme import Scheme


class MajorityAnswering:
    """Answers titles by the majority of `samples` written answers.

    Source: Wang et al. 2022, "Self-Consistency", arXiv 2203.11171. Equal numbers go to the category that
    came first; where no sample names one, the answer is the first sample. The answer that is returned is the
    first sample of the winning category, with the tokens of all.
    """

    def __init__(self, inner: Answering, scheme: Scheme, samples: int) -> None:
        self.inner, self.scheme, self.samples = inner, scheme, samples

    def answer(
        self, titles: Sequence[str], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, Written]]:
        """Write the answers to each title; it is answered when its last sample is there."""
        # Title by title, so that early ones are complete early and their prompt is computed once.
        asked = [title for title in titles for _ in range(self.samples)]
        written: dict[int, dict[int, Written]] = defaultdict(dict)
        for place, answer in self.inner.answer(asked, stop=stop):
            index, sample = divmod(place, self.samples)
            written[index][sample] = answer
            if len(written[index]) == self.samples:
                found = written.pop(index)
                yield index, self.vote([found[sample] for sample in range(self.samples)])

    def vote(self, found: Sequence[Written]) -> Written:
        """Choose among the samples of a title."""
        named = [self._category(each) for each in found]
        votes = Counter(name or UNPARSED for name in named)
        categories = [name for name in named if name is not None]
        winner = max(categories, key=lambda name: votes[name]) if categories else None
        chosen = found[named.index(winner)]
        return replace(chosen, tokens=sum(each.tokens for each in found), votes=dict(votes))

    def _category(self, written: Written) -> str | None:
        if not written.finished:
            return None
        return exact_category(read_answer(written.text).label, self.scheme.names)

    def score(
        self, titles: Sequence[str], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, dict[str, float]]]:
        """Score the categories, which takes one look."""
        return self.inner.score(titles, stop=stop)

    def describe(self) -> EngineUsed:
        """Describe the engine behind it."""
        return self.inner.describe()
