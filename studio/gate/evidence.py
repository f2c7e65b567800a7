"""Find what a candidate is judged by: its evaluations, tests, probe, sealed answers.

Only what was answered here counts, on every row of the gate's evaluation set: an import or an endpoint
says nothing about the checkpoint that would be released.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from studio import runs
from studio.contract import AnswerMode, EvaluateSpec, Scores
from studio.datasets.sealed_sets import ENTRY, SealedSet, list_sealed_sets
from studio.errors import StudioError
from studio.evaluation import behaviour_runs
from studio.evaluation.behaviour import FlipRate
from studio.evaluation.training_rows import labelled_rows, trained_rows
from studio.releases import ledger
from studio.releases.models import GateRule, SealedOpening
from studio.runs import Job, Run
from studio.samples.scheme import Scheme
from studio.samples.similarity import LARGEST_NEAR_GROUP, group_near
from studio.store import Store
from studio.workspace import BUNDLED_DATASET, BUNDLED_NAME, Workspace

CONTROL = "same"
"""The behavioural test that changes nothing."""


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """An evaluation on the gate's rows, with its scores by the way of answering that was asked for."""

    run: Run
    scores: Scores


def evaluations(workspace: Workspace, run_id: str, rule: GateRule) -> list[Run]:
    """List the evaluations of a run's model on the dataset of a gate, the newest first."""
    return [
        run
        for run in runs.list_runs(workspace)
        if run_id in (run.id, getattr(run.spec, "run", None)) and _is_on(run, rule.dataset)
    ]


def _is_on(run: Run, dataset: str) -> bool:
    spec = run.spec
    if isinstance(spec, EvaluateSpec):
        if spec.engine != "local" or spec.imported or spec.dataset != ENTRY:
            return False
    elif spec.eval_dataset != ENTRY:
        return False
    return spec.dataset_dir == BUNDLED_DATASET if dataset == BUNDLED_NAME else run.version == dataset


def find_evaluation(
    workspace: Workspace, run_id: str, rule: GateRule, answer: AnswerMode
) -> Evaluated | None:
    """Find the newest evaluation of a run's model on all rows of a gate; None: it was not evaluated so."""
    for run in evaluations(workspace, run_id, rule):
        try:
            file = runs.load_scores(run)
        except StudioError:
            continue
        scores = file.evaluations.get(answer) if file else None
        if scores is not None and scores.n == rule.rows:
            return Evaluated(run=run, scores=scores)
    return None


def known_since(run: Run) -> datetime:
    """Return since when the scores of an evaluation may have been known.

    A training evaluates at its end, so no sooner than its worker had worked; times of files are not asked,
    which copying changes.
    """
    if isinstance(run.spec, EvaluateSpec) or run.result is None:
        return run.created_at
    return run.created_at + timedelta(seconds=run.result.seconds)


def worst_flips(workspace: Workspace, run_id: str, rule: GateRule) -> FlipRate | None:
    """Find the highest flip rate of the newest behavioural tests of a run's model; None: none were done."""
    for run in evaluations(workspace, run_id, rule):
        last = behaviour_runs.last_test(workspace, run)
        if last is not None and last.result is not None:
            rates = [each for each in last.result.rates if each.test != CONTROL and each.titles]
            return max(rates, key=lambda each: each.rate, default=None)
    return None


@dataclass(frozen=True, kw_only=True)
class SealedEvidence:
    """What is known of a candidate on the newest sealed set of a dataset.

    `openings` counts every opening of the set, whoever it was for. `job` answered for the candidate last;
    None: it was not opened for it. `scores` are None until that is done.
    """

    sealed: SealedSet
    openings: int
    job: Job | None
    scores: Scores | None


def sealed_evidence(db: Store, workspace: Workspace, dataset: str, run_id: str) -> SealedEvidence | None:
    """Find how a candidate answered the newest sealed set of a dataset; None: there is no such set."""
    name = dataset.partition("@")[0]
    sealed = next((each for each in list_sealed_sets(db) if each.dataset == name), None)
    if sealed is None:
        return None
    openings = [each for each in list_openings(db) if (each.dataset, each.number) == (name, sealed.number)]
    mine = [each for each in openings if each.run == run_id]
    job = _job(workspace, mine[-1].job) if mine else None
    return SealedEvidence(
        sealed=sealed,
        openings=len(openings),
        job=job,
        scores=sealed_scores(job, mine[-1].answer) if job else None,
    )


def list_openings(db: Store) -> list[SealedOpening]:
    """List every opening of a sealed set, the oldest first."""
    return [SealedOpening.model_validate_json(entry.body) for entry in ledger.read(db, "sealed_opened")]


def sealed_scores(job: Job, answer: AnswerMode) -> Scores | None:
    """Load the scores of an opened set; None until all of it is answered."""
    if job.state != "done":
        return None
    file = runs.load_scores(job)
    return file.evaluations.get(answer) if file else None


def _job(workspace: Workspace, job_id: str) -> Job | None:
    try:
        return runs.get_job(workspace, job_id)
    except StudioError:
        return None


def sealed_titles_trained(workspace: Workspace, run: Run, job: Job, scheme: Scheme) -> int:
    """Count the titles of an opened set that a run was trained on, near copies included."""
    sealed = [row.title for row in labelled_rows(job.folder, ENTRY, scheme).rows]
    trained = [row.title for row in trained_rows(workspace, run, scheme).rows]
    groups = [group for group in group_near([*sealed, *trained]) if len(group) <= LARGEST_NEAR_GROUP]
    near = {index for group in groups if max(group) >= len(sealed) for index in group if index < len(sealed)}
    same = set(trained)
    return len(near | {index for index, title in enumerate(sealed) if title in same})
