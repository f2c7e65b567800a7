"""The same spec on one process and on two: the same gradients, the same curve, one whole run folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from backend.train import train
from backend.worker import RunFolder
from tests.support.gradient_worker import gradients
from tests.support.samples import numbered, write_folder
from tests.support.tiny_models import events_of, losses_of, quick_spec, result_of, write_run

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    # 11 rows: the last step of an epoch of batches of 8 has 3, which two processes cannot share evenly.
    # Six steps end with such a step.
    return write_folder(
        tmp_path_factory.mktemp("data"),
        train=numbered(11, varied=True),
        eval=numbered(5, start=20, varied=True),
    )


TORCHRUN = ("torch.distributed.run", "--standalone", "--nproc_per_node", "2")
# One process: without a GPU it starts several by MPI only. With GPUs it starts them as torchrun does.
ACCELERATE = ("accelerate.commands.launch", "--cpu", "--num_processes", "1", "--num_machines", "1")


def launch(*program, launcher=TORCHRUN):
    """The processes, started as the command of the launcher starts them."""
    return subprocess.run(
        [sys.executable, "-m", *launcher, *map(str, program)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_batches_accumulation_and_processes_give_the_same_gradients(tmp_path, model, dataset):
    def spec(size, accumulation, **changes):
        return quick_spec(
            model, dataset, finetuning_type="full", max_steps=1, label_weight=3, eval_dataset=None,
            per_device_train_batch_size=size, gradient_accumulation_steps=accumulation, **changes,
        )  # fmt: skip

    whole = gradients(write_run(tmp_path / "whole", spec(8, 1)))
    steps = gradients(write_run(tmp_path / "steps", spec(8 // 8, 8)))
    flat = gradients(write_run(tmp_path / "flat", spec(8, 1, padding_free=True, seed=7)))
    flat_steps = gradients(write_run(tmp_path / "flat_steps", spec(2, 4, padding_free=True, seed=7)))
    done = launch(
        ROOT / "tests" / "support" / "gradient_worker.py",
        write_run(tmp_path / "two", spec(4, 1)),
        tmp_path / "two.st",
    )
    assert done.returncode == 0, done.stderr
    shared = {name.removeprefix("module."): grad for name, grad in load_file(tmp_path / "two.st").items()}
    assert shared.keys() == whole.keys()
    for name, gradient in whole.items():
        assert torch.allclose(steps[name], gradient, atol=1e-5), name
        assert torch.allclose(shared[name], gradient, atol=1e-5), name
        assert torch.allclose(flat_steps[name], flat[name], atol=1e-5), name
    assert max(gradient.abs().max() for gradient in whole.values()) > 1e-3


def test_two_processes_pause_together_go_on_and_leave_what_one_process_leaves(tmp_path, model, dataset):
    changes = {"max_steps": 6, "learning_rate": 1e-2, "evaluate_after": ("direct",), "eval_steps": 2}
    one = write_run(tmp_path / "one", quick_spec(model, dataset, **changes))
    train(RunFolder(one))
    two = write_run(tmp_path / "two", quick_spec(model, dataset, per_device_train_batch_size=4, **changes))
    (two / "pause").touch()
    done = launch("-m", "backend.train", two)
    assert done.returncode == 0, done.stderr
    assert result_of(two).status == "paused" and len(losses_of(two)) == 1
    for name in ("pause", "result.json"):
        (two / name).unlink()
    done = launch("-m", "backend.train", two)
    assert done.returncode == 0, done.stderr
    assert result_of(two).status == "done" and result_of(two).checkpoint == "checkpoints/step_000006"
    assert losses_of(two) == pytest.approx(losses_of(one), abs=1e-4)
    points = [
        [(e.step, e.loss, e.loss_error, e.accuracy, e.rows) for e in events_of(run) if e.event == "held_out"]
        for run in (one, two)
    ]
    assert len(points[0]) == 3
    for ours, theirs in zip(*points, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4)
    last = [[e for e in events_of(run) if e.event == "step"][-1] for run in (one, two)]
    assert last[0].samples_seen == last[1].samples_seen == 33
    assert last[0].tokens_seen == last[1].tokens_seen
    assert len((two / "predictions.jsonl").read_text().splitlines()) == 5
    assert sorted(path.name for path in two.iterdir()) == [
        "checkpoints", "metrics.jsonl", "predictions.jsonl", "result.json", "scores.json", "spec.json",
    ]  # fmt: skip


def test_accelerate_starts_the_same_training(tmp_path, model, dataset):
    spec = quick_spec(model, dataset, max_steps=3, learning_rate=1e-2, eval_dataset=None)
    by_python, by_accelerate = (write_run(tmp_path / name, spec) for name in ("python", "accelerate"))
    train(RunFolder(by_python))
    done = launch("-m", "backend.train", by_accelerate, launcher=ACCELERATE)
    assert done.returncode == 0, done.stderr
    assert result_of(by_accelerate).status == "done"
    assert losses_of(by_accelerate) == pytest.approx(losses_of(by_python), abs=1e-4)
