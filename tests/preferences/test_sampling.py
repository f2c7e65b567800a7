"""Sampled answers: pass@k without bias, rows that are never right, pairs of a right and a wrong chain."""

from itertools import combinations

import pytest

from studio.errors import InputError
from studio.preferences.sampling import pass_at, read_samples
from studio.preferences.selection import select
from studio.store import open_store
from studio.workspace import open_workspace
from tests.support.sampled_answers import OTHER, sampled_job
from tests.support.samples import CHAIN, SCHEME


@pytest.fixture
def workspace(tmp_path):
    return open_workspace(tmp_path / "home")


@pytest.fixture
def job(workspace):
    return sampled_job(workspace)


@pytest.mark.parametrize(("right", "samples", "k"), [(0, 4, 2), (1, 4, 2), (3, 5, 2), (5, 5, 3)])
def test_pass_at_k_is_the_share_of_draws_with_a_right_answer(right, samples, k):
    answers = [True] * right + [False] * (samples - right)
    draws = list(combinations(answers, k))
    assert pass_at(right, samples, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_categories_and_rows_that_are_never_right_are_told(workspace, job):
    found = read_samples(workspace, job.id)
    rates = found.pass_rates()
    assert (rates[""].pass_1, rates[""].pass_k, rates[""].never) == (0.25, 0.5, 1)
    assert (rates["体育"].pass_k, rates["经济"].never) == (1.0, 1)
    assert [each.title for each in found.never_right] == [OTHER]


def test_a_right_chain_without_remark_is_preferred_over_a_wrong_one(workspace, job):
    db = open_store(workspace.database)
    [pair] = select(db, workspace, sample_ids=[job.id], scheme=SCHEME).pairs
    assert (pair.kind, pair.confused, pair.form) == ("sampled", ("体育", "娱乐"), "chain")
    assert pair.sources == {"job": job.id, "row": 0, "chosen_sample": 1, "rejected_sample": 0}


def test_a_right_category_with_a_poor_chain_is_no_pair(workspace, job):
    file = job.folder / "samples.jsonl"
    file.write_text(file.read_text().replace(CHAIN, "归体育。"), encoding="utf-8")
    assert select(open_store(workspace.database), workspace, sample_ids=[job.id], scheme=SCHEME).pairs == ()


def test_other_jobs_have_no_samples(workspace):
    with pytest.raises(InputError):
        read_samples(workspace, "20260101-000000-train")
