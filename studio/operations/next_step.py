"""Suggest the next step of the loop from the state of a workspace.

    import -> label -> freeze -> train -> evaluate -> back to label

Reads the store and the run folders; changes nothing and shows nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from studio.contract import AnswerMode, Scores
from studio.corpus.titles import Status, count_by_status
from studio.datasets.versions import Version, list_versions
from studio.errors import UnreadableFile
from studio.runs import Run, list_runs, load_scores
from studio.store import Store
from studio.workspace import Workspace

LoopStep = Literal["import", "label", "freeze", "train", "evaluate"]


@dataclass(frozen=True, kw_only=True)
class WorkspaceState:
    """The state of a workspace. `scored` is the newest run that has scores, a recorded one last."""

    titles: Mapping[Status, int]
    versions: tuple[Version, ...]
    runs: tuple[Run, ...]
    scored: Run | None
    scores: Mapping[AnswerMode, Scores]

    @property
    def own_runs(self) -> tuple[Run, ...]:
        """Runs of this workspace, the recorded sample left out."""
        return tuple(run for run in self.runs if not run.recorded)

    @property
    def next_step(self) -> LoopStep:
        """The next step of the loop."""
        waiting, decided = self.titles["waiting"], self.titles["decided"]
        if waiting + decided == 0:
            return "import"
        if waiting:
            return "label"
        if not self.versions:
            return "freeze"
        trained = [run for run in self.own_runs if run.spec.kind == "train" and run.state != "cancelled"]
        return "evaluate" if trained else "train"


def standing(db: Store, workspace: Workspace) -> WorkspaceState:
    """Read the current state of the workspace: titles, versions, runs and the newest scores."""
    runs = tuple(list_runs(workspace))
    scored, scores = _newest_scores(runs)
    return WorkspaceState(
        titles=count_by_status(db),
        versions=tuple(list_versions(db, workspace)),
        runs=runs,
        scored=scored,
        scores=scores,
    )


def _newest_scores(runs: tuple[Run, ...]) -> tuple[Run | None, Mapping[AnswerMode, Scores]]:
    for run in runs:
        try:
            file = load_scores(run)
        except UnreadableFile:
            continue  # the Evaluate page reports it; here the others count
        if file is not None and file.evaluations:
            return run, file.evaluations
    return None, {}
