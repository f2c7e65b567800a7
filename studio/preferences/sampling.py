"""Judge sampled answers by their labels: pass@k, the rows that are never right, and preference pairs.

A row that is never right in many samples is hard, or its label is wrong: a list to look at, for nothing.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

from pydantic import TypeAdapter

from studio import runs
from studio.contract import SampledAnswer, SampleSpec
from studio.errors import InputError
from studio.language import say
from studio.preferences.pairs import AnswerSide, PreferencePair
from studio.preferences.title_ids import title_ids
from studio.runs import Job
from studio.samples.chain_lint import lint_chain
from studio.samples.scheme import Scheme
from studio.samples.title_text import title_key
from studio.store import Store
from studio.system.jsonl import read_lines
from studio.workspace import Workspace

_sampled: TypeAdapter[SampledAnswer] = TypeAdapter(SampledAnswer)


@dataclass(frozen=True, kw_only=True)
class PassRate:
    """How often rows are right: on average in one sample, in at least one of `k`, and never in any."""

    rows: int
    samples: int
    pass_1: float
    pass_k: float
    never: int

    def to_json(self) -> dict[str, Any]:
        """Build the entry of one category in `sample --json`."""
        return {
            "rows": self.rows,
            "pass@1": self.pass_1,
            f"pass@{self.samples}": self.pass_k,
            "never": self.never,
        }


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """The sampled answers of a job by row, in the order of the rows."""

    job: Job
    by_row: Mapping[int, Sequence[SampledAnswer]]

    @property
    def never_right(self) -> list[SampledAnswer]:
        """One answer of each row that no sample got right: its label may be wrong."""
        return [answers[0] for answers in self.by_row.values() if not any(map(is_right, answers))]

    def pass_rates(self) -> dict[str, PassRate]:
        """Compute pass@1 and pass@k of each category, and of all rows under an empty name, first."""
        groups: dict[str, list[Sequence[SampledAnswer]]] = defaultdict(list)
        for answers in self.by_row.values():
            groups[""].append(answers)
            groups[answers[0].label].append(answers)
        return {name: _rate(rows) for name, rows in groups.items()}


def is_right(answer: SampledAnswer) -> bool:
    """Whether a sampled answer names the category of its row."""
    return answer.predicted == answer.label


def pass_at(right: int, samples: int, k: int) -> float:
    """Estimate without bias the probability that one of k samples is right.

    Source: Chen et al. 2021, "Evaluating Large Language Models Trained on Code", equation 1.
    """
    return 1.0 - comb(samples - right, k) / comb(samples, k)


def read_samples(workspace: Workspace, job_id: str) -> Sampled:
    """Read the sampled answers of a job.

    Raises:
        InputError: there is no such job, or it samples nothing.
        RunFailed: it is not done.
    """
    job = runs.get_job(workspace, job_id)
    if not isinstance(job.spec, SampleSpec):
        raise InputError(
            say(f"{job_id} 不是采样任务。", f"{job_id} has sampled nothing."),
            remedy=say("用 news-studio sample 采样。", "Sample answers first: news-studio sample"),
        )
    runs.require_done(job)
    by_row: dict[int, list[SampledAnswer]] = defaultdict(list)
    for answer in read_lines(job.folder / "samples.jsonl", _sampled):
        by_row[answer.row].append(answer)
    return Sampled(
        job=job,
        by_row={row: sorted(by_row[row], key=lambda answer: answer.sample) for row in sorted(by_row)},
    )


def sampled_pairs(db: Store, sampled: Sampled, scheme: Scheme) -> list[PreferencePair]:
    """Make one pair of each row that was right and wrong: a right chain without remark over a wrong one.

    Of the right chains the first that the lint has no remark on; where each has one, there is no pair: a
    poor chain that ends in the right category is nothing to prefer.
    """
    ids = title_ids(db, [title_key(answers[0].title) for answers in sampled.by_row.values()])
    found = (_pair(sampled.job, answers, ids, scheme) for answers in sampled.by_row.values())
    return [pair for pair in found if pair is not None]


def _pair(
    job: Job, answers: Sequence[SampledAnswer], ids: Mapping[str, int], scheme: Scheme
) -> PreferencePair | None:
    right = next((each for each in answers if is_right(each) and _is_clean(each, scheme)), None)
    wrong = next((each for each in answers if each.predicted and each.chain and not is_right(each)), None)
    if right is None or wrong is None:
        return None
    return PreferencePair(
        kind="sampled",
        title_id=ids.get(title_key(right.title)),
        title=right.title,
        chosen=_side(right, job),
        rejected=_side(wrong, job),
        person="",
        at=job.created_at.isoformat(timespec="milliseconds"),
        sources={
            "job": job.id,
            "row": right.row,
            "chosen_sample": right.sample,
            "rejected_sample": wrong.sample,
        },
    )


def _is_clean(answer: SampledAnswer, scheme: Scheme) -> bool:
    if not answer.chain or answer.forced or answer.predicted is None:
        return False
    return not lint_chain(answer.title, answer.chain, answer.predicted, scheme)


def _side(answer: SampledAnswer, job: Job) -> AnswerSide:
    assert answer.predicted is not None, answer
    return AnswerSide(category=answer.predicted, chain=answer.chain, by=job.label or job.id)


def _rate(rows: Sequence[Sequence[SampledAnswer]]) -> PassRate:
    counts = [(sum(map(is_right, answers)), len(answers)) for answers in rows]
    k = min(samples for _, samples in counts)
    return PassRate(
        rows=len(rows),
        samples=k,
        pass_1=sum(pass_at(right, samples, 1) for right, samples in counts) / len(rows),
        pass_k=sum(pass_at(right, samples, k) for right, samples in counts) / len(rows),
        never=sum(right == 0 for right, _ in counts),
    )
