"""Confidence is fitted apart from the rows it is measured on, and a threshold is stored with the model."""

import json

import numpy as np
import pytest

from studio import runs
from studio.contract import EvaluateSpec, Prediction, ScoreFile
from studio.errors import InputError
from studio.evaluation.calibration import (
    FOLDS,
    CoveragePoint,
    calibrate,
    confidence_of,
    confidences,
    scored,
)
from studio.evaluation.refusal import (
    calibration_report,
    choose_threshold,
    chosen_threshold,
    forget_threshold,
    right_but_refused,
)
from studio.evaluation.scores import score
from studio.samples.scheme import load_scheme
from studio.store import open_store
from tests.support.workspaces import fill

SCHEME = load_scheme()
NAMES = SCHEME.names


def answers(count, *, seed, sharpness=2.0, answer="direct", offset=0):
    """Answers of a model that is too sure: its log probabilities are `sharpness` times the true ones."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (count, len(NAMES)))
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = [random.choice(len(NAMES), p=row) for row in truth]
    said = np.exp(sharpness * logits)
    said /= said.sum(axis=1, keepdims=True)
    rows = []
    for number in range(count):
        title = "".join(chr(0x4E00 + each) for each in random.integers(0, 20000, 12))
        best = int(said[number].argmax())
        # A chain follows direct scoring where that is right and strays half of the time where it is not.
        strays = answer == "chain" and best != labels[number] and random.random() < 0.5
        predicted = NAMES[(best + 1) % len(NAMES)] if strays else NAMES[best]
        rows.append(
            Prediction(
                row=number + offset,
                title=title,
                label=NAMES[labels[number]],
                label_chain="",
                answer=answer,
                predicted=predicted,
                chain=None,
                text="",
                probabilities=dict(zip(NAMES, map(float, said[number]), strict=True)),
            )
        )
    return rows


def prepared(rows):
    return scored(rows, {row.title: row.probabilities for row in rows}, NAMES)


def test_the_temperature_of_a_model_that_is_twice_too_sure_is_two():
    report = calibrate(prepared(answers(2000, seed=1)))
    assert report.fitted.temperature == pytest.approx(2, abs=0.15)
    before, after = report.errors
    assert before > 0.1 and after < 0.04
    assert max(map(abs, report.fitted.bias.values())) < 0.3


def test_a_prior_is_fitted_where_a_category_is_answered_too_often():
    rows = answers(2000, seed=2, sharpness=1.0)
    tilted = []
    for row in rows:
        p = {name: value * (6 if name == NAMES[3] else 1) for name, value in row.probabilities.items()}
        total = sum(p.values())
        tilted.append(row.model_copy(update={"probabilities": {name: v / total for name, v in p.items()}}))
    bias = calibrate(prepared(tilted)).fitted.bias
    others = np.mean([value for name, value in bias.items() if name != NAMES[3]])
    assert bias[NAMES[3]] - others == pytest.approx(-np.log(6), abs=0.3)


def test_no_row_has_a_part_in_its_own_confidence():
    rows = answers(200, seed=3)
    own = prepared(rows)
    before = calibrate(own)
    changed = [
        row.model_copy(update={"label": NAMES[0]}) if own.folds[number] == 2 else row
        for number, row in enumerate(rows)
    ]
    after = calibrate(prepared(changed))
    same = before.confidence == after.confidence
    assert same[own.folds == 2].all() and not same[own.folds != 2].all()
    assert set(own.folds.tolist()) == set(range(FOLDS))


def test_near_copies_share_a_fold():
    rows = answers(40, seed=4)
    copies = [
        row.model_copy(update={"title": f"国足三比零战胜对手取得三连胜{number}"})
        for number, row in enumerate(rows)
    ]
    assert len(set(prepared(copies).folds.tolist())) == 1


def test_a_chains_confidence_rests_on_agreement_with_direct_scoring():
    report = calibrate(prepared(answers(1500, seed=5, answer="chain")))
    assert report.fitted.signal == "agreement"
    direct = np.array([row.probabilities[row.predicted] for row in answers(1500, seed=5, answer="chain")])
    strayed = direct < 0.2
    assert report.confidence[strayed].mean() == pytest.approx(report.right[strayed].mean(), abs=0.05)
    assert report.errors[1] < 0.05


def test_refusing_the_least_confident_leaves_more_that_is_right():
    report = calibrate(prepared(answers(1000, seed=6)))
    curve = report.curve()
    assert [point.coverage for point in curve] == sorted((point.coverage for point in curve), reverse=True)
    assert curve[0].coverage == 1 and curve[-1].accuracy > curve[0].accuracy + 0.1
    for point in curve:
        low, high = point.interval
        assert low <= point.accuracy <= high


@pytest.mark.parametrize(("rows", "bound"), [(60, 0.0487), (100, 0.0295), (10, 0.2589)])
def test_no_error_in_so_many_still_allows_some(rows, bound):
    point = CoveragePoint(threshold=0.9, answered=rows, right=rows, total=200)
    assert point.largest_error == pytest.approx(bound, abs=1e-4)
    assert CoveragePoint(threshold=0.9, answered=rows, right=rows - 1, total=200).largest_error is None


def test_one_answer_gets_the_confidence_that_a_list_of_them_gets():
    for answer in ("direct", "chain"):
        rows = answers(100, seed=7, answer=answer)
        fitted = calibrate(prepared(rows)).fitted
        every = confidences(fitted, prepared(rows))
        for number in (0, 17, 99):
            one = confidence_of(fitted, rows[number].predicted, rows[number].probabilities)
            assert one == pytest.approx(every[number])
        assert confidence_of(fitted, None, rows[0].probabilities) == 0


def test_too_few_rows_are_not_calibrated():
    rows = answers(20, seed=8)
    assert prepared(rows) is None
    assert scored(answers(40, seed=8), {}, NAMES) is None


@pytest.fixture
def db(workspace):
    return open_store(workspace.database)


def write(folder, rows):
    """Put an evaluation into a run folder."""
    (folder / "predictions.jsonl").write_text("\n".join(row.model_dump_json() for row in rows) + "\n")
    modes = dict.fromkeys(row.answer for row in rows)
    evaluations = {
        mode: score([row for row in rows if row.answer == mode], NAMES, answer=mode, seconds=1)
        for mode in modes
    }
    (folder / "scores.json").write_text(ScoreFile(evaluations=evaluations).model_dump_json(by_alias=True))


@pytest.fixture
def run(db, workspace):
    run = fill(db, workspace)
    direct = answers(120, seed=9)
    chain = [row.model_copy(update={"answer": "chain", "probabilities": None}) for row in direct]
    write(run.folder, [*direct, *chain])
    return run


def evaluation_of(workspace, run, rows):
    spec = EvaluateSpec(
        model_name_or_path=run.spec.model_name_or_path, dataset_dir=run.spec.dataset_dir, run=run.id
    )
    other = runs.prepare_run(workspace, spec)
    for name in ("alive", "result.json"):
        (other.folder / name).write_bytes((run.folder / name).read_bytes())
    write(other.folder, rows)
    return runs.get_run(workspace, other.id)


def test_another_evaluation_of_the_model_is_fitted_on_and_this_one_is_not(workspace, run):
    assert not calibration_report(workspace, run, "direct", SCHEME).apart
    overlapping = answers(120, seed=9)
    evaluation_of(workspace, run, overlapping)
    assert not calibration_report(workspace, run, "direct", SCHEME).apart
    other = evaluation_of(workspace, run, answers(300, seed=10))
    report = calibration_report(workspace, run, "direct", SCHEME)
    assert report.apart and (report.fitted.fitted_on, report.fitted.rows) == (other.id, 300)


def test_titles_that_were_trained_on_are_never_fitted_on(workspace, run):
    trained = json.loads((run.spec.dataset_dir / "train.json").read_text())[:60]
    rows = [
        row.model_copy(update={"title": each["conversations"][0]["value"].removeprefix("新闻分类：")})
        for row, each in zip(answers(60, seed=11), trained, strict=True)
    ]
    evaluation_of(workspace, run, rows)
    assert not calibration_report(workspace, run, "direct", SCHEME).apart


def test_the_threshold_is_stored_with_the_model_that_answered(workspace, run):
    other = evaluation_of(workspace, run, answers(300, seed=10))
    report = calibration_report(workspace, other, "direct", SCHEME)
    choose_threshold(workspace, other, report, 0.8, author="ann")
    kept = runs.load_calibration(run).answers["direct"]
    assert kept.threshold.confidence == 0.8 and kept.threshold.evaluation == other.id
    assert kept.threshold.answered == report.at(0.8).answered
    assert chosen_threshold(workspace, run, "direct") == kept.threshold
    assert runs.load_calibration(other) is None
    chain = calibration_report(workspace, run, "chain", SCHEME)
    choose_threshold(workspace, run, chain, 0.5, author="ann")
    assert set(runs.load_calibration(run).answers) == {"direct", "chain"}
    forget_threshold(workspace, run, "direct")
    assert chosen_threshold(workspace, run, "direct") is None
    assert chosen_threshold(workspace, run, "chain").confidence == 0.5


def test_what_caution_costs_is_tagged(workspace, run):
    assert right_but_refused(workspace, run, "direct", SCHEME) == set()
    report = calibration_report(workspace, run, "direct", SCHEME)
    choose_threshold(workspace, run, report, 0.6, author="ann")
    cost = right_but_refused(workspace, run, "direct", SCHEME)
    point = report.at(0.6)
    assert len(cost) == report.right.sum() - point.right > 0


def test_the_recorded_run_keeps_no_threshold(workspace):
    recorded = next(each for each in runs.list_runs(workspace) if each.recorded)
    report = calibration_report(workspace, recorded, "direct", SCHEME)
    with pytest.raises(InputError):
        choose_threshold(workspace, recorded, report, 0.5, author="ann")
