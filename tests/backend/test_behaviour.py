"""The worker of behavioural tests answers every variant, the same title alike, and can be cancelled."""

import json

import pytest

from backend.behaviour import answer_variants, behaviour, scorer
from backend.worker import Cancelled, RunFolder
from studio import runs
from studio.contract import BehaviourSpec, Prediction, Variant, VariantAnswer
from studio.evaluation.behaviour import compare_answers, variants
from studio.evaluation.behaviour_runs import last_test, start
from studio.jobs import queue
from studio.samples.scheme import load_scheme
from studio.store import open_store
from tests.support.tiny_runs import wait_until
from tests.support.workspaces import fill

SCHEME = load_scheme()
TITLES = ("央行：2024年降息5%", "国足3比0获胜，晋级", "新药进入三期临床")


def rows():
    return [
        Prediction(
            row=number,
            title=title,
            label="体育",
            label_chain="",
            answer="direct",
            predicted="体育",
            chain=None,
            text="",
        )
        for number, title in enumerate(TITLES)
    ]


def prepared(tmp_path, model, made):
    spec = BehaviourSpec(model_name_or_path=model, run="some", batch_size=4)
    (tmp_path / "spec.json").write_text(spec.model_dump_json())
    (tmp_path / "variants.jsonl").write_text("".join(f"{each.model_dump_json()}\n" for each in made))
    return RunFolder(tmp_path)


def lines(folder):
    text = (folder / "answers.jsonl").read_text().splitlines()
    return [VariantAnswer.model_validate_json(line) for line in text]


def test_every_variant_is_answered_and_an_unchanged_title_alike(tmp_path, model):
    made = variants(rows())
    behaviour(prepared(tmp_path, model, made))
    answers = lines(tmp_path)
    assert [(each.row, each.test) for each in answers] == [(each.row, each.test) for each in made]
    assert {each.predicted for each in answers} <= set(SCHEME.names)
    result = compare_answers(rows(), made, answers)
    assert next(each for each in result.rates if each.test == "same").flips == 0


def test_the_answer_is_the_models_own_to_that_text(tmp_path, model):
    made = variants(rows(), ["prefix"])
    folder = prepared(tmp_path, model, made)
    behaviour(folder)
    score = scorer(folder.read_spec(), SCHEME)
    for each, answer in zip(made, lines(tmp_path), strict=True):
        (probabilities,) = score([each.title])
        assert answer.predicted == max(probabilities, key=probabilities.get)
        assert answer.probability == pytest.approx(probabilities[answer.predicted], abs=1e-3)


def test_a_cancel_ends_it_between_two_batches(tmp_path):
    folder = RunFolder(tmp_path)
    asked = []

    def score(titles):
        asked.append(titles)
        if len(asked) == 2:
            (tmp_path / "cancel").touch()
        return [{"体育": 1.0}] * len(titles)

    made = [Variant(row=number, test="", title=str(number)) for number in range(9)]
    with pytest.raises(Cancelled):
        answer_variants(folder, made, score, 3)
    assert len(lines(tmp_path)) == 3 and len(asked) == 2


def test_a_job_is_queued_for_an_evaluation_and_found_again(workspace):
    run = fill(open_store(workspace.database), workspace)
    job = start(workspace, run, SCHEME, limit=5)
    made = (job.folder / "variants.jsonl").read_text().splitlines()
    assert len({json.loads(line)["row"] for line in made}) == 5
    assert job.spec.adapter_name_or_path == run.folder / "checkpoints/step_000001"
    found = last_test(workspace, run)
    assert found.job.id == job.id and found.result is None
    queue.ensure_job_process(workspace)
    wait_until(lambda: runs.get_job(workspace, job.id).is_over)
    # The tiny worker answers nothing: there is a result, and no flip in it.
    assert last_test(workspace, run).result.rates == ()
