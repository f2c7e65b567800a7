"""An evaluation samples answers: reproducible by seed, several a title with the majority, refused where idle."""

import pytest
from pydantic import ValidationError

from backend.engine.majority import MajorityAnswering
from backend.engine.titles import Written
from backend.evaluate import evaluate
from backend.worker import RunFolder
from studio.contract import EndpointSpec, EvaluateSpec, Prediction
from studio.samples.canonical import write_answer
from studio.samples.scheme import load_scheme
from tests.support.samples import numbered, write_folder
from tests.support.tiny_models import write_run

SCHEME = load_scheme()


def wrote(category, *, finished=True):
    return Written(text=write_answer("想", category), tokens=5, finished=finished)


class Scripted:
    """Answers with what a test wants; the last first, as an engine may."""

    def __init__(self, answers):
        self.answers = answers

    def answer(self, titles, *, stop=None):
        self.asked = list(titles)
        yield from reversed(list(enumerate(self.answers)))


@pytest.mark.parametrize(
    ("answers", "category", "votes"),
    [
        (("体育", "娱乐", "体育"), "体育", {"体育": 2, "娱乐": 1}),
        (("娱乐", "体育", "国际"), "娱乐", {"娱乐": 1, "体育": 1, "国际": 1}),
        (("旅游", "旅游", "体育"), "体育", {"unparsed": 2, "体育": 1}),
        (("旅游", "", "旅游"), "旅游", {"unparsed": 3}),
    ],
)
def test_the_category_of_most_samples_counts(answers, category, votes):
    inner = Scripted([wrote(name) for name in answers])
    ((index, found),) = MajorityAnswering(inner, SCHEME, 3).answer(["一条标题"])
    assert inner.asked == ["一条标题"] * 3 and index == 0
    assert found.text == write_answer("想", category) and found.votes == votes and found.tokens == 15


def test_an_answer_that_broke_off_has_no_vote():
    inner = Scripted([wrote("体育", finished=False), wrote("体育", finished=False), wrote("国际")])
    ((_, found),) = MajorityAnswering(inner, SCHEME, 3).answer(["一条标题"])
    assert found.text == write_answer("想", "国际")


def run(folder, model, dataset, **changes):
    spec = EvaluateSpec(
        model_name_or_path=model, dataset_dir=dataset, train_dataset=None, max_new_tokens=24, **changes
    )
    place = write_run(folder, spec)
    evaluate(RunFolder(place))
    lines = (place / "predictions.jsonl").read_text().splitlines()
    return sorted((Prediction.model_validate_json(line) for line in lines), key=lambda row: row.row)


def test_samples_are_the_same_for_a_seed_and_differ_for_another(tmp_path, model):
    dataset = write_folder(tmp_path / "data", eval=numbered(3))
    chosen = {"temperature": 1.0, "samples": 3}
    first = run(tmp_path / "a", model, dataset, **chosen)
    again = run(tmp_path / "b", model, dataset, **chosen)
    other = run(tmp_path / "c", model, dataset, **chosen, sampling_seed=9)
    assert [row.text for row in first] == [row.text for row in again] != [row.text for row in other]
    assert all(sum(row.votes.values()) == 3 for row in first)
    greedy = run(tmp_path / "d", model, dataset)
    assert all(row.votes is None for row in greedy)


@pytest.mark.parametrize(
    "changes",
    [
        {"samples": 3},
        {"samples": 3, "temperature": 0.7, "answer": "direct"},
        {
            "temperature": 0.7,
            "engine": "endpoint",
            "endpoint": EndpointSpec(base_url="http://127.0.0.1:1/v1", model="m"),
        },
    ],
)
def test_what_would_change_nothing_is_refused(model, tmp_path, changes):
    with pytest.raises(ValidationError, match=r"samples|temperature"):
        EvaluateSpec(model_name_or_path=model, dataset_dir=tmp_path, **changes)
