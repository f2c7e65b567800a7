"""The worker of a sheet answers each title once, survives a kill, and tells what it could not answer."""

import json
import signal
import subprocess
import sys
import time

import pytest

from backend.classify import classify
from backend.evaluate import evaluate
from backend.worker import RunFolder, work_in
from studio.contract import (
    AnswerCalibration,
    AnsweredTitle,
    ClassifySpec,
    EndpointSpec,
    EvaluateSpec,
    Prediction,
)
from studio.evaluation.calibration import confidence_of
from studio.samples.scheme import load_scheme
from studio.workspace import BUNDLED_DATASET
from tests.support.tiny_models import events_of, result_of, scores_of, write_run
from tests.support.tiny_runs import wait_until
from tests.support.tiny_teacher import Teacher

SCHEME = load_scheme()
TITLES = [f"第{number}条{'长' * (number % 7)}标题" for number in range(40)]


def prepared(folder, spec, titles=TITLES):
    write_run(folder, spec)
    (folder / "titles.jsonl").write_text("".join(f"{json.dumps(title)}\n" for title in titles))
    (folder / "categories.toml").write_bytes((BUNDLED_DATASET.parent / "categories.toml").read_bytes())
    return RunFolder(folder)


def lines(folder):
    text = (folder / "answers.jsonl").read_text().splitlines()
    return [AnsweredTitle.model_validate_json(line) for line in text]


@pytest.fixture
def teacher():
    server = Teacher(lambda number, body: "<think>\n想\n</think>\n\n体育")
    yield server
    server.close()


def at(url, **settings):
    settings = {"model": "m", "attempts": 1, "timeout_seconds": 20, "concurrency": 1, **settings}
    return ClassifySpec(engine="endpoint", endpoint=EndpointSpec(base_url=url, **settings), answer="chain")


def test_every_title_is_scored_once_as_the_model_scores_it(tmp_path, model):
    folder = prepared(tmp_path / "run", ClassifySpec(model_name_or_path=model))
    assert work_in(folder, classify) == 0
    found = lines(folder.path)
    assert sorted(one.title for one in found) == list(range(len(TITLES)))
    assert all(
        one.category in SCHEME.names and one.confidence == one.probabilities[one.category] for one in found
    )
    assert events_of(folder.path)[-1].done == len(TITLES)
    alone = prepared(tmp_path / "alone", ClassifySpec(model_name_or_path=model), TITLES[7:8])
    work_in(alone, classify)
    whole = next(one for one in found if one.title == 7)
    (single,) = lines(alone.path)
    assert single.category == whole.category
    assert single.probabilities == pytest.approx(whole.probabilities, abs=2e-5)


def test_a_calibration_sets_the_confidence_and_the_probabilities_sum_to_one(tmp_path, model):
    fitted = AnswerCalibration(
        answer="direct", signal="probability", temperature=2.5, bias={"体育": 0.5}, fitted_on="e", rows=40
    )
    plain, calibrated = (
        prepared(tmp_path / name, ClassifySpec(model_name_or_path=model, calibration=one), TITLES[:3])
        for name, one in (("plain", None), ("calibrated", fitted))
    )
    work_in(plain, classify)
    work_in(calibrated, classify)
    for one, other in zip(lines(plain.path), lines(calibrated.path), strict=True):
        assert other.category == one.category
        assert other.confidence == pytest.approx(
            confidence_of(fitted, one.category, one.probabilities), abs=1e-4
        )
        assert sum(other.probabilities.values()) == pytest.approx(1, abs=1e-4)


def test_killed_in_the_middle_it_goes_on_with_what_is_missing_and_no_answer_changes(tmp_path, model):
    spec = ClassifySpec(model_name_or_path=model)
    titles = [f"{title}{number}" for number in range(16) for title in TITLES]
    folder = prepared(tmp_path / "run", spec, titles)
    answers = folder.path / "answers.jsonl"
    worker = subprocess.Popen([sys.executable, "-m", "backend.classify", str(folder.path)])
    wait_until(lambda: answers.exists() and answers.stat().st_size > 9_000)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert not (folder.path / "result.json").exists()
    with answers.open("ab") as file:
        file.write(b'{"title":17,"categ')
    before = lines_of_whole(answers)
    assert 0 < len(before) < len(titles)
    assert work_in(folder, classify) == 0
    after = lines(folder.path)
    assert after[: len(before)] == before
    assert sorted(one.title for one in after) == list(range(len(titles)))


def lines_of_whole(path):
    text = path.read_text().rpartition("\n")[0].splitlines()
    return [AnsweredTitle.model_validate_json(line) for line in text]


def test_a_chain_of_a_local_model_ends_in_a_category_and_has_direct_probabilities(tmp_path, model):
    spec = ClassifySpec(model_name_or_path=model, answer="chain", max_new_tokens=24)
    folder = prepared(tmp_path / "run", spec, TITLES[:6])
    assert work_in(folder, classify) == 0
    found = lines(folder.path)
    # A random model names no category by itself; held to them it always does.
    assert [one.category in SCHEME.names for one in found] == [True] * 6
    assert all(one.chain is not None and one.tokens for one in found)
    sure = [one.category == max(one.probabilities, key=one.probabilities.get) for one in found]
    assert [one.confidence is not None for one in found] == sure
    free = prepared(tmp_path / "free", spec.model_copy(update={"categories_only": False}), TITLES[:6])
    work_in(free, classify)
    assert not any(one.category for one in lines(free.path))


@pytest.mark.parametrize(("wish", "status"), [("cancel", "cancelled"), ("pause", "paused")])
def test_a_wish_ends_it_with_what_it_has_and_it_goes_on_later(tmp_path, teacher, wish, status):
    folder = prepared(tmp_path / "run", at(teacher.url), TITLES[:8])

    def stop_at_three(number, body):
        if number == 3:
            (folder.path / wish).touch()
        return "体育"

    teacher.behave = stop_at_three
    work_in(folder, classify)
    assert result_of(folder.path).status == status
    kept = len(lines(folder.path))
    assert 2 <= kept < 8
    (folder.path / wish).unlink()
    work_in(folder, classify)
    assert result_of(folder.path).status == "done"
    assert [one.title for one in lines(folder.path)] == list(range(8))
    assert len(teacher.requests) <= 9


def test_a_title_that_an_endpoint_refuses_or_fails_has_its_problem_and_the_others_answers(tmp_path, teacher):
    faults = {3: "400", 5: "500", 6: "garbage"}
    teacher.behave = lambda number, body: faults.get(number, "<think>\n想\n</think>\n\n体育")
    folder = prepared(tmp_path / "run", at(teacher.url), TITLES[:8])
    work_in(folder, classify)
    assert result_of(folder.path).status == "done"
    found = lines(folder.path)
    assert [one.category for one in found] == ["体育", "体育", None, "体育", None, None, "体育", "体育"]
    assert [bool(one.problem) for one in found] == [False, False, True, False, True, True, False, False]
    assert "this title is not answered" in found[2].problem and found[0].chain == "想"


def test_an_endpoint_that_is_lost_fails_the_job_and_resuming_asks_for_the_rest_alone(tmp_path, teacher):
    teacher.behave = lambda number, body: "体育" if number <= 5 else "drop"
    folder = prepared(tmp_path / "run", at(teacher.url), TITLES[:20])
    work_in(folder, classify)
    ended = result_of(folder.path)
    assert ended.status == "failed" and "继续" in ended.remedy
    asked = len(teacher.requests)
    assert asked == 5 + 8  # the endpoint is down after eight failures in succession
    teacher.behave = lambda number, body: "经济"
    work_in(folder, classify)
    assert result_of(folder.path).status == "done"
    assert len(teacher.requests) == asked + 15
    last = {one.title: one for one in lines(folder.path)}
    assert [last[n].category for n in range(20)] == ["体育"] * 5 + ["经济"] * 15
    assert not any(one.problem for one in last.values())


def test_too_many_requests_wait_as_long_as_the_endpoint_says(tmp_path, teacher):
    teacher.behave = lambda number, body: "429" if number == 2 else "体育"
    folder = prepared(tmp_path / "run", at(teacher.url, attempts=3, concurrency=4), TITLES[:8])
    began = time.monotonic()
    work_in(folder, classify)
    assert time.monotonic() - began >= 0.3
    assert {one.category for one in lines(folder.path)} == {"体育"} and len(teacher.requests) == 9


def test_an_evaluation_that_loses_its_endpoint_goes_on_without_asking_again(tmp_path, teacher):
    teacher.behave = lambda number, body: "体育" if number <= 7 else "drop"
    spec = EvaluateSpec(
        engine="endpoint",
        endpoint=at(teacher.url).endpoint,
        dataset_dir=BUNDLED_DATASET,
        train_dataset=None,
        limit=20,
    )
    folder = RunFolder(write_run(tmp_path / "run", spec))
    work_in(folder, evaluate)
    assert result_of(folder.path).status == "failed" and not (folder.path / "scores.json").exists()
    asked = len(teacher.requests)
    teacher.behave = lambda number, body: "经济"
    work_in(folder, evaluate)
    assert result_of(folder.path).status == "done" and len(teacher.requests) == asked + 13
    text = (folder.path / "predictions.jsonl").read_text().splitlines()
    found = [Prediction.model_validate_json(line) for line in text]
    assert sorted(one.row for one in found) == list(range(20))
    assert [one.predicted for one in found] == ["体育"] * 7 + ["经济"] * 13


def test_an_evaluation_that_was_killed_scores_the_same_as_one_that_was_not(tmp_path, model):
    spec = EvaluateSpec(
        model_name_or_path=model, dataset_dir=BUNDLED_DATASET, train_dataset=None, answer="direct", limit=30
    )
    whole, cut = (RunFolder(write_run(tmp_path / name, spec)) for name in ("whole", "cut"))
    work_in(whole, evaluate)
    text = (whole.path / "predictions.jsonl").read_text().splitlines(keepends=True)
    (cut.path / "predictions.jsonl").write_text("".join(text[:11]) + text[11][:20])
    work_in(cut, evaluate)
    after = (cut.path / "predictions.jsonl").read_text().splitlines(keepends=True)
    assert after[:11] == text[:11] and len(after) == 30
    whole_scores, cut_scores = (scores_of(folder.path).evaluations["direct"] for folder in (whole, cut))
    assert cut_scores.confusion == whole_scores.confusion
    assert events_of(cut.path)[1].done == 11
