"""A training that ended early goes on: the same losses, nothing lost, the best kept."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors import safe_open

from backend.train import train
from backend.worker import Cancelled, Paused, RunFolder
from tests.support.samples import numbered, write_folder
from tests.support.tiny_models import events_of, quick_spec, write_run


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_folder(
        tmp_path_factory.mktemp("data"),
        train=numbered(11, varied=True),
        eval=numbered(5, start=20, varied=True),
    )


@pytest.fixture(scope="module")
def wanted(model, dataset):
    """Everything that must survive: dropout, a schedule, accumulation, several epochs, a sampler's order."""
    return quick_spec(
        model,
        dataset,
        max_steps=14,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        learning_rate=1e-2,
        lora_dropout=0.2,
        loraplus_lr_ratio=4.0,
        lr_scheduler_type="cosine_with_restarts",
        lr_scheduler_kwargs={"num_cycles": 2},
        eval_steps=5,
        save_steps=2,
        logging_steps=3,
    )


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, wanted):
    folder = write_run(tmp_path_factory.mktemp("whole") / "run", wanted)
    train(RunFolder(folder))
    return folder


def curve(folder):
    """What the run told, without times and memory."""
    return [
        (e.event, e.step, e.loss, getattr(e, "learning_rate", 0), getattr(e, "tokens_seen", 0), getattr(e, "samples_seen", 0), getattr(e, "accuracy", None))
        for e in events_of(folder)
        if e.event in ("step", "held_out")
    ]  # fmt: skip


def require_same_curve(folder, other):
    assert [point[:2] for point in curve(folder)] == [point[:2] for point in curve(other)]
    for ours, theirs in zip(curve(folder), curve(other), strict=True):
        assert ours[2:] == pytest.approx(theirs[2:], abs=1e-4)


def weights_of(checkpoint):
    with safe_open(next(checkpoint.glob("*.safetensors")), framework="pt") as tensors:
        return {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118  (safe_open is no mapping)


def steps_told(folder):
    """The newest step in the run's checkpoints."""
    return max((int(p.name.removeprefix("step_")) for p in folder.glob("checkpoints/step_*")), default=0)


def test_a_killed_run_goes_on_with_the_losses_of_an_uninterrupted_one(tmp_path, wanted, uninterrupted):
    folder = write_run(tmp_path, wanted)
    place = random.Random().choice([3, 5, 8])
    program = [sys.executable, "-m", "backend.train", str(folder)]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True) as process:
        # Killed somewhere behind a step that differs from run to run, in the middle of whatever it does.
        while steps_told(folder) < place - 1 and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    reached = steps_told(folder)
    assert not (folder / "result.json").exists() and 2 <= reached < 14
    train(RunFolder(folder))
    require_same_curve(folder, uninterrupted)
    end = [run / "checkpoints" / "step_000014" for run in (folder, uninterrupted)]
    ours, theirs = map(weights_of, end)
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-5) for name in theirs)
    assert not list(folder.glob("checkpoints/*/resume"))


class AskingAt(RunFolder):
    """A run folder to which something happens as soon as a step is told."""

    def __init__(self, path, step, happens):
        super().__init__(path)
        self.step, self.happens = step, happens

    def emit(self, event):
        super().emit(event)
        if event.event == "step" and event.step == self.step:
            self.happens()


def every_step(wanted, **changes):
    return wanted.model_copy(update={"logging_steps": 1, "eval_steps": 0, **changes})


@pytest.mark.parametrize("how", ["pause", "SIGTERM"])
def test_a_run_that_stops_for_now_goes_on_as_if_nothing_had_been(tmp_path, wanted, uninterrupted, how):
    folder = write_run(tmp_path, wanted)
    happens = (folder / "pause").touch if how == "pause" else lambda: signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Paused, match="已按要求暂停" if how == "pause" else "系统要求任务结束"):
        train(AskingAt(folder, 3, happens))
    (folder / "pause").unlink(missing_ok=True)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    # The wish is seen after the step that follows the one that is told: between two points.
    assert steps_told(folder) == 4
    train(RunFolder(folder))
    require_same_curve(folder, uninterrupted)


def _cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _spoil(file):
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = b"\xff" * 64
    file.write_bytes(content)


DAMAGES = {
    "cut weights": ("adapter_model.safetensors", _cut),
    "spoiled optimizer": ("resume/optimizer.pt", _spoil),
    "empty random states": ("resume/rng_state.pth", lambda file: file.write_bytes(b"")),
    "cut loop": ("resume/loop.json", _cut),
    "brackets": ("resume/trainer_state.json", lambda file: file.write_bytes(b"[" * 100_000)),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_newest_checkpoint_is_passed_over_and_told(tmp_path, wanted, uninterrupted, how):
    folder = write_run(tmp_path, wanted)
    with pytest.raises(Paused):
        train(AskingAt(folder, 6, (folder / "pause").touch))
    (folder / "pause").unlink()
    newest = sorted((folder / "checkpoints").glob("step_*"))[-1]
    name, damage = DAMAGES[how]
    damage(newest / name)
    train(RunFolder(folder))
    require_same_curve(folder, uninterrupted)
    told = json.loads((folder / "damaged.json").read_text())
    assert list(told["damaged"]) == [newest.name]
    assert name in told["damaged"][newest.name]
    assert told["resumed"] < newest.name


def test_without_a_sound_checkpoint_the_training_begins_anew(tmp_path, wanted, uninterrupted):
    folder = write_run(tmp_path, wanted)
    with pytest.raises(Paused):
        train(AskingAt(folder, 3, (folder / "pause").touch))
    (folder / "pause").unlink()
    for checkpoint in (folder / "checkpoints").glob("step_*"):
        _cut(checkpoint / "adapter_model.safetensors")
    train(RunFolder(folder))
    require_same_curve(folder, uninterrupted)
    assert json.loads((folder / "damaged.json").read_text())["resumed"] is None


@pytest.mark.parametrize("method", ["full", "freeze"])
def test_whole_weights_go_on_too(tmp_path, wanted, method):
    changes = {
        "finetuning_type": method,
        "freeze_trainable_layers": 1,
        "loraplus_lr_ratio": None,
        "max_steps": 6,
        "eval_steps": 0,
    }
    spec = wanted.model_copy(update=changes)
    whole, halves = (write_run(tmp_path / name, spec) for name in ("whole", "halves"))
    train(RunFolder(whole))
    with pytest.raises(Paused):
        train(AskingAt(halves, 3, (halves / "pause").touch))
    (halves / "pause").unlink()
    train(RunFolder(halves))
    require_same_curve(halves, whole)


def test_points_behind_the_checkpoint_and_half_lines_are_dropped(tmp_path, wanted, uninterrupted):
    folder = write_run(tmp_path, wanted)
    with pytest.raises(Paused):
        train(AskingAt(folder, 3, (folder / "pause").touch))
    (folder / "pause").unlink()
    told = (folder / "metrics.jsonl").read_text()
    point = json.loads(next(line for line in told.splitlines() if '"event":"step"' in line))
    (folder / "metrics.jsonl").write_text(told + json.dumps({**point, "step": 6}) + "\n" + '{"event":"st')
    train(RunFolder(folder))
    require_same_curve(folder, uninterrupted)


def test_a_run_whose_evaluation_was_cut_off_is_evaluated_not_trained_again(tmp_path, wanted):
    spec = every_step(wanted, evaluate_after=("direct",), max_steps=3)
    folder = write_run(tmp_path, spec)
    with pytest.raises(Paused):
        train(AskingAt(folder, 3, (folder / "pause").touch))
    (folder / "pause").unlink()
    before = [point for point in curve(folder) if point[0] == "step"]
    weights = weights_of(folder / "checkpoints" / "step_000003")
    outcome = train(RunFolder(folder))
    assert [point for point in curve(folder) if point[0] == "step"] == before
    assert outcome["train_loss"] == pytest.approx(sum(loss for _, _, loss, *_ in before) / 3, abs=1e-4)
    assert (folder / "scores.json").exists()
    after = weights_of(folder / "checkpoints" / "step_000003")
    assert all(torch.equal(after[name], weights[name]) for name in weights)


def test_stop_and_discard_leaves_no_checkpoint(tmp_path, wanted):
    folder = write_run(tmp_path, every_step(wanted))

    def discard():
        (folder / "discard").touch()
        (folder / "cancel").touch()

    asked = AskingAt(folder, 5, discard)
    with pytest.raises(Cancelled):
        train(asked)
    assert not list((folder / "checkpoints").iterdir()) and "checkpoint" not in asked.known


def held_out(folder):
    return [event for event in events_of(folder) if event.event == "held_out"]


def diverging(wanted, **changes):
    """Of a rate so high that the held-out loss turns up again soon."""
    return every_step(
        wanted,
        eval_steps=1,
        learning_rate=0.3,
        lr_scheduler_type="constant",
        lr_scheduler_kwargs={},
        save_steps=0,
        **changes,
    )


def test_training_stops_when_nothing_gets_better_and_ends_with_the_best(tmp_path, wanted):
    spec = diverging(
        wanted,
        early_stopping_steps=3,
        load_best_model_at_end=True,
        save_total_limit=1,
        max_steps=60,
        evaluate_after=("direct",),
    )
    folder = RunFolder(write_run(tmp_path, spec))
    train(folder)
    points = held_out(tmp_path)
    best = min(points, key=lambda point: point.loss)
    assert best.step == [point for point in points if point.best][-1].step
    assert len(points) == best.step + 3 < 60
    name = f"checkpoints/step_{best.step:06d}"
    assert folder.known["checkpoint"] == folder.known["best_checkpoint"] == name
    # The limit counts the last one; the best is kept beside it.
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == sorted(
        {f"step_{best.step:06d}", f"step_{len(points):06d}"}
    )
    accuracy = json.loads((tmp_path / "scores.json").read_text())["evaluations"]["direct"]["accuracy"]
    assert accuracy == pytest.approx(best.accuracy)


def test_the_best_is_known_after_an_interruption(tmp_path, wanted):
    spec = diverging(wanted, early_stopping_steps=3, load_best_model_at_end=True, max_steps=60)
    whole, halves = (write_run(tmp_path / name, spec) for name in ("whole", "halves"))
    known = []
    for folder in (whole, halves):
        if folder == halves:
            stop = held_out(whole)[-2].step
            with pytest.raises(Paused):
                train(AskingAt(folder, stop - 1, (folder / "pause").touch))
            (folder / "pause").unlink()
        run = RunFolder(folder)
        train(run)
        known.append(run.known["best_checkpoint"])
    assert known[0] == known[1]
    require_same_curve(halves, whole)


def test_only_the_newest_checkpoints_are_kept(tmp_path, wanted):
    train(
        RunFolder(write_run(tmp_path, every_step(wanted, max_steps=8, save_total_limit=2, eval_dataset=None)))
    )
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "step_000006",
        "step_000008",
    ]
