"""Every way a worker can end leaves a result that says what happened and what to do."""

import json
import resource
import signal
import subprocess
import sys

import pytest

from tests.support.samples import sample, write_folder, write_json
from tests.support.tiny_models import quick_spec, result_of, write_run


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    rows = [sample(f"第{i}条标题", "体育", "看“标题”，归体育。") for i in range(8)]
    return write_folder(tmp_path_factory.mktemp("data"), train=rows, eval=rows[:2])


def work(folder, program="train", **changes):
    return subprocess.run(
        [sys.executable, "-m", f"backend.{program}", str(folder)], capture_output=True, text=True, **changes
    )


def small_files(limit):
    """A disk on which files beyond `limit` bytes do not fit."""

    def set_limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return set_limit


def test_a_full_disk_ends_the_run_and_leaves_no_half_checkpoint(tmp_path, model, dataset):
    write_run(tmp_path, quick_spec(model, dataset, finetuning_type="full", max_steps=2))
    done = work(tmp_path, preexec_fn=small_files(60_000))
    assert done.returncode == 1, done.stderr
    result = result_of(tmp_path)
    assert result.status == "failed" and "磁盘" in result.message and result.remedy
    assert result.checkpoint is None
    assert [path.name for path in (tmp_path / "checkpoints").glob("step_*")] == []


def test_a_missing_spec_and_a_wrong_spec_are_told(tmp_path):
    assert work(tmp_path).returncode == 1
    assert "spec.json" in result_of(tmp_path).message
    write_json(tmp_path / "spec.json", {"kind": "train", "lerning_rate": 1})
    assert work(tmp_path).returncode == 1
    assert "lerning_rate" in result_of(tmp_path).message


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "dataset_info.json").unlink(), "dataset_info.json"),
        (lambda folder: write_json(folder / "dataset_info.json", {"other": {}}), "train"),
        (lambda folder: write_json(folder / "dataset_info.json", {"train": {"file_name": "../x.json"}}), "x.json"),
        (lambda folder: (folder / "train.json").write_text('[{"conversations": [', encoding="utf-8"), "不完整"),
        (lambda folder: (folder / "train.json").write_bytes("[\u4f60]".encode("gbk")), "JSON"),
        (lambda folder: write_json(folder / "train.json", {"a": 1}), "列表"),
        (lambda folder: write_json(folder / "train.json", [{"conversations": [{"from": "human", "value": "x"}]}]), "第 1 行"),
        (lambda folder: write_json(folder / "train.json", []), "没有一行"),
    ],
)  # fmt: skip
def test_a_broken_dataset_is_one_message_with_the_remedy(tmp_path, model, spoil, words):
    folder = write_folder(tmp_path / "data", train=[sample()], eval=[sample()])
    spoil(folder)
    write_run(tmp_path / "run", quick_spec(model, folder, eval_dataset=None))
    assert work(tmp_path / "run").returncode == 1
    result = result_of(tmp_path / "run")
    assert result.status == "failed" and words in result.message and result.remedy


def test_a_model_without_weights_is_told(tmp_path, dataset, model):
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (bare / name).write_bytes((model / name).read_bytes())
    write_run(tmp_path / "run", quick_spec(bare, dataset))
    assert work(tmp_path / "run").returncode == 1
    assert "models check" in result_of(tmp_path / "run").remedy


def test_a_crash_is_told_and_its_traceback_is_in_the_log(tmp_path, model, dataset):
    spec = quick_spec(model, dataset).model_dump(mode="json")
    (tmp_path / "metrics.jsonl").mkdir()
    write_json(tmp_path / "spec.json", spec)
    done = work(tmp_path)
    assert done.returncode != 0 and "Traceback" in done.stderr
    assert json.loads((tmp_path / "result.json").read_text())["status"] == "failed"
