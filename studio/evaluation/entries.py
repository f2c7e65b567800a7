"""List and find what can be compared: an evaluation by one way of answering, or several of one training.

Runs whose settings differ in the seed alone are one entry beside each of them: what a training is worth
includes the luck of its seed.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio import runs
from studio.contract import AnswerMode, Scores
from studio.errors import InputError, UnreadableFile
from studio.language import say
from studio.releases.records import released_run
from studio.runs import Run
from studio.workspace import Workspace

MODES: tuple[AnswerMode, ...] = ("chain", "direct")
SEPARATOR = "+"
"""Between the ids of runs that are compared as the seeds of one training."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One side that can be compared; `runs` are several where they are the seeds of one training."""

    runs: tuple[Run, ...]
    answer: AnswerMode
    scores: tuple[Scores, ...]

    @property
    def key(self) -> str:
        """Return what `find_entry` finds it by."""
        return f"{SEPARATOR.join(run.id for run in self.runs)}:{self.answer}"

    @property
    def name(self) -> str:
        """Name it as its run is named; of seeds, how many there are."""
        name = self.runs[0].label or self.runs[0].id
        if len(self.runs) == 1:
            return name
        return say("{name}（{n} 个种子）", "{name} ({n} seeds)", name=name, n=len(self.runs))

    @property
    def n(self) -> int:
        """Count the evaluated rows, of the smallest evaluation."""
        return min(each.n for each in self.scores)

    @property
    def accuracy(self) -> float:
        """Return the accuracy; of seeds the mean."""
        return sum(each.accuracy for each in self.scores) / len(self.scores)

    @property
    def categories(self) -> tuple[str, ...]:
        """Return the categories of the confusion matrix, in the scheme's order."""
        return self.scores[0].confusion.rows


def list_entries(workspace: Workspace) -> list[Entry]:
    """List every scored evaluation, newest first, each way of answering; unreadable ones are left out."""
    return [entry for run in runs.list_runs(workspace) for entry in entries_of(run)]


def entries_of(run: Run) -> list[Entry]:
    """List the evaluations of one run."""
    try:
        file = runs.load_scores(run)
    except UnreadableFile:
        return []
    found = file.evaluations if file is not None else {}
    return [Entry(runs=(run,), answer=mode, scores=(found[mode],)) for mode in MODES if mode in found]


def seed_groups(workspace: Workspace, entries: Sequence[Entry]) -> list[Entry]:
    """Group evaluations of trainings that differ in the seed alone; two seeds and more make a group."""
    trained = {run.id: run for run in runs.list_runs(workspace) if run.spec.kind == "train"}
    found: dict[str, dict[int, Entry]] = defaultdict(dict)
    for entry in entries:
        (run,) = entry.runs
        training = run if run.spec.kind == "train" else trained.get(run.spec.run or "")
        if training is None or training.spec.kind != "train":
            continue
        asked = () if run is training else sorted(_asked(run).items())
        settings = sorted(training.spec.model_dump(mode="json", exclude={"seed"}).items())
        # Of one seed that was evaluated twice the newest counts: entries come newest first.
        found[repr((settings, asked, entry.answer, entry.n))].setdefault(training.spec.seed, entry)
    return [joined(list(members.values())) for members in found.values() if len(members) > 1]


def _asked(run: Run) -> Mapping[str, Any]:
    """Return what an evaluation was asked, apart from the model that it asked."""
    of_model = {"model_name_or_path", "adapter_name_or_path", "run", "seed", "batch_size"}
    return run.spec.model_dump(mode="json", exclude=of_model)


def joined(entries: Sequence[Entry]) -> Entry:
    """Join evaluations of the seeds of one training to one entry."""
    return Entry(
        runs=tuple(run for entry in entries for run in entry.runs),
        answer=entries[0].answer,
        scores=tuple(scores for entry in entries for scores in entry.scores),
    )


def find_entry(workspace: Workspace, ref: str, answer: AnswerMode | None = None) -> Entry:
    """Find what a person calls an evaluation.

    Args:
        workspace: where to look.
        ref: id or name of a run, or name of a release, with `:chain` or `:direct` where it matters; several
            joined by `+` are the seeds of one training; the id of a sweep over seeds stands for all its runs.
        answer: the way of answering where `ref` does not say it; without it the think chain if there is one.

    Raises:
        InputError: there is no such run, several have that name, or it was not scored so.
    """
    name, _, mode = ref.rpartition(":")
    if mode in MODES and name:
        ref, answer = name, "direct" if mode == "direct" else "chain"
    every = list_entries(workspace)
    found = [_one(workspace, every, part, answer) for part in _parts(workspace, every, ref)]
    if answer is None and len({entry.answer for entry in found}) > 1:
        found = [_one(workspace, every, entry.runs[0].id, "direct") for entry in found]
    return found[0] if len(found) == 1 else joined(found)


def find_entries(workspace: Workspace, refs: Sequence[str], answer: AnswerMode | None = None) -> list[Entry]:
    """Find several evaluations; where no way of answering is named, one that all of them have.

    Raises:
        InputError: as `find_entry`.
    """
    for mode in MODES if answer is None else ():
        try:
            return [find_entry(workspace, ref, mode) for ref in refs]
        except InputError:
            continue
    return [find_entry(workspace, ref, answer) for ref in refs]


def _parts(workspace: Workspace, entries: Sequence[Entry], ref: str) -> list[str]:
    """Split a reference to several seeds; the id of a sweep becomes the ids of its scored members."""
    members = [entry.runs[0] for entry in entries if ref in _owners(workspace, entry.runs[0])]
    if members:
        return list(dict.fromkeys(run.id for run in members))
    known = {entry.runs[0].id for entry in entries} | {entry.runs[0].label for entry in entries}
    return [ref] if ref in known else ref.split(SEPARATOR)


def _owners(workspace: Workspace, run: Run) -> set[str]:
    """Return the sweep that trained a run, or the run that it evaluates."""
    owners = {run.record.worked_by or ""}
    if run.spec.kind == "evaluate" and run.spec.run:
        try:
            owners.add(runs.get_run(workspace, run.spec.run).record.worked_by or "")
        except (InputError, UnreadableFile):
            return owners - {""}
    return owners - {""}


def _one(workspace: Workspace, entries: Sequence[Entry], name: str, answer: AnswerMode | None) -> Entry:
    mine = [entry for entry in entries if entry.runs[0].id == name]
    if not mine:
        mine = [entry for entry in entries if entry.runs[0].label == name]
    if not mine and (released := released_run(workspace, name)):
        mine = [entry for entry in entries if entry.runs[0].id == released]
    ids = sorted({entry.runs[0].id for entry in mine})
    if len(ids) > 1:
        raise InputError(
            say(f"有 {len(ids)} 个运行叫“{name}”。", f"{len(ids)} runs are called “{name}”."),
            remedy=say(f"请用编号：{'、'.join(ids)}", f"Name one by its id: {', '.join(ids)}"),
        )
    if not mine:
        raise InputError(
            say(f"没有叫 {name} 的、评估过的运行。", f"There is no scored run {name}."),
            remedy=say(
                "用 news-studio runs 查看所有运行，用 news-studio evaluate 评估一个。",
                "See all runs with `news-studio runs`; score one with `news-studio evaluate`.",
            ),
        )
    fitting = [entry for entry in mine if answer in (None, entry.answer)]
    if not fitting:
        raise InputError(
            say(f"运行 {name} 没有按“{answer}”回答过。", f"Run {name} was not scored with answer {answer}."),
            remedy=say(
                f"请用 --answer {mine[0].answer}，或再评估一次。",
                f"Use --answer {mine[0].answer}, or evaluate it again.",
            ),
        )
    return fitting[0]
