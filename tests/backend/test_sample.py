"""Several sampled answers to every row: different, repeatable, resumed where they broke off."""

import pytest

from backend.sample import sample
from backend.worker import Cancelled, RunFolder
from studio.contract import SampledAnswer, SampleSpec
from studio.errors import InputError
from tests.support.samples import numbered, write_folder
from tests.support.samples import sample as conversation
from tests.support.tiny_models import write_run


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data"), train=numbered(3), eval=numbered(2, start=20))


@pytest.fixture(scope="module")
def spec(model, dataset):
    return SampleSpec(
        model_name_or_path=model, dataset_dir=dataset, samples=4, max_new_tokens=24, quotes_from_title=False
    )


def sampled(folder, spec):
    sample(RunFolder(write_run(folder, spec)))
    lines = (folder / "samples.jsonl").read_text().splitlines()
    answers = [SampledAnswer.model_validate_json(line) for line in lines]
    return {(each.row, each.sample): (each.chain, each.predicted) for each in answers}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, spec):
    return sampled(tmp_path_factory.mktemp("whole") / "run", spec)


def test_every_row_gets_as_many_answers_as_asked_and_they_differ(whole):
    assert sorted(whole) == [(row, number) for row in range(3) for number in range(4)]
    assert all(len({whole[row, number] for number in range(4)}) > 1 for row in range(3))


def test_the_same_seed_gives_the_same_answers_in_any_company(tmp_path, spec, whole):
    alone = sampled(tmp_path, spec.model_copy(update={"limit": 1, "batch_size": 1}))
    assert alone == {key: answer for key, answer in whole.items() if key[0] == 0}
    other = sampled(tmp_path / "other", spec.model_copy(update={"limit": 1, "seed": 7}))
    assert other != alone


def test_what_is_missing_is_sampled_on_resume(tmp_path, spec, whole):
    first = sampled(tmp_path, spec.model_copy(update={"limit": 1}))
    assert len(first) == 4
    assert sampled(tmp_path, spec) == whole


def test_a_cancel_and_a_dataset_without_labels_are_said(tmp_path, spec, model):
    folder = write_run(tmp_path / "run", spec)
    (folder / "cancel").touch()
    with pytest.raises(Cancelled):
        sample(RunFolder(folder))
    foreign = write_folder(tmp_path / "foreign", train=[conversation(category="没有这个类别")])
    with pytest.raises(InputError):
        sample(RunFolder(write_run(tmp_path / "other", spec.model_copy(update={"dataset_dir": foreign}))))
