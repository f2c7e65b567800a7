"""The held-out rows of another version beside the training rows of this one."""

import json

import pytest

from studio.datasets.mixed_eval import entries, with_eval_of
from studio.errors import UnreadableFile
from studio.workspace import open_workspace
from tests.support.samples import sample, write_folder


@pytest.fixture
def workspace(tmp_path):
    return open_workspace(tmp_path / "home")


def rows(*titles):
    return [sample(title, "体育", f"看“{title}”，归体育。") for title in titles]


def test_rows_that_are_learned_too_are_counted(workspace, tmp_path):
    here = write_folder(tmp_path / "here", train=rows("甲", "乙", "丙"), eval=rows("丁"))
    there = write_folder(tmp_path / "there", train=rows("戊"), eval=rows("乙", "己"))
    mixed = with_eval_of(workspace, here, there)
    assert (mixed.rows, mixed.seen) == (2, 1)
    assert json.loads((mixed.folder / "train.json").read_text()) == rows("甲", "乙", "丙")
    assert json.loads((mixed.folder / "eval.json").read_text()) == rows("乙", "己")
    assert set(entries(mixed.folder)) == {"train", "eval"}
    assert with_eval_of(workspace, here, there) == mixed


def test_a_changed_version_gets_a_folder_of_its_own(workspace, tmp_path):
    here = write_folder(tmp_path / "here", train=rows("甲"), eval=rows("丁"))
    there = write_folder(tmp_path / "there", train=rows("戊"), eval=rows("乙"))
    first = with_eval_of(workspace, here, there)
    there = write_folder(tmp_path / "later", train=rows("戊"), eval=rows("庚"))
    assert with_eval_of(workspace, here, there).folder != first.folder


def test_a_folder_without_held_out_rows_is_reported(workspace, tmp_path):
    here = write_folder(tmp_path / "here", train=rows("甲"), eval=rows("丁"))
    (tmp_path / "bare").mkdir()
    with pytest.raises(UnreadableFile, match="bare"):
        with_eval_of(workspace, here, tmp_path / "bare")
    assert entries(tmp_path / "bare") == []


def test_a_file_outside_its_folder_is_not_read(workspace, tmp_path):
    here = write_folder(tmp_path / "here", train=rows("甲"), eval=rows("丁"))
    (tmp_path / "secret.json").write_text("[]")
    info = json.loads((here / "dataset_info.json").read_text())
    info["eval"]["file_name"] = "../secret.json"
    (here / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(UnreadableFile, match="之外"):
        with_eval_of(workspace, here, here)
