"""Collect preference pairs from what two runs answered to one title: the right answer over the wrong one.

The label is the judge, so that a title has to have one; a chain that ends in the right category is not
therefore a good chain, which is why pairs that people made go first.
"""

from collections.abc import Sequence

from studio import runs
from studio.contract import Prediction
from studio.errors import InputError
from studio.language import say
from studio.preferences.pairs import AnswerSide, PreferencePair
from studio.preferences.title_ids import title_ids
from studio.runs import Run
from studio.samples.title_text import title_key
from studio.store import Store
from studio.workspace import Workspace

MOST = 8
"""Runs that are held against each other at once."""


def collect_from_runs(db: Store, workspace: Workspace, run_ids: Sequence[str]) -> list[PreferencePair]:
    """Collect, for each title, one pair of a right and a wrong chain of these runs.

    Raises:
        InputError: fewer than two runs or more than MOST, or one that is not there.
        UnreadableFile: the predictions of one cannot be read.
    """
    chosen = list(dict.fromkeys(run_ids))
    if not 2 <= len(chosen) <= MOST:
        raise InputError(
            say(f"要 2 到 {MOST} 个运行。", f"Name 2 to {MOST} runs."),
            remedy=say("用 news-studio runs 查看所有运行。", "See all runs: news-studio runs"),
        )
    answered = [(run, _chains(run)) for run in (runs.get_run(workspace, run_id) for run_id in chosen)]
    every = dict.fromkeys(key for _, predictions in answered for key in predictions)
    known = title_ids(db, list(every))
    found = (_pair(key, answered, known.get(key)) for key in every)
    return [pair for pair in found if pair is not None]


def _chains(run: Run) -> dict[str, Prediction]:
    return {
        title_key(prediction.title): prediction
        for prediction in runs.load_predictions(run, "chain")
        if prediction.predicted is not None and prediction.chain
    }


def _pair(
    key: str, answered: Sequence[tuple[Run, dict[str, Prediction]]], title_id: int | None
) -> PreferencePair | None:
    said = [(run, predictions[key]) for run, predictions in answered if key in predictions]
    right = next(((run, each) for run, each in said if each.predicted == each.label), None)
    wrong = next(((run, each) for run, each in said if each.predicted != each.label), None)
    if right is None or wrong is None or right[1].label != wrong[1].label:
        return None
    return PreferencePair(
        kind="runs",
        title_id=title_id,
        title=right[1].title,
        chosen=_side(*right),
        rejected=_side(*wrong),
        person="",
        at=max(run.created_at for run, _ in (right, wrong)).isoformat(timespec="milliseconds"),
        sources={"chosen_run": right[0].id, "rejected_run": wrong[0].id, "row": right[1].row},
    )


def _side(run: Run, prediction: Prediction) -> AnswerSide:
    assert prediction.predicted is not None, prediction
    return AnswerSide(category=prediction.predicted, chain=prediction.chain, by=run.label or run.id)
