"""What a spec may choose about the loop, and what a run writes down about itself."""

import hashlib
import subprocess
import sys

import pytest
import torch
from transformers import get_scheduler
from transformers.trainer_utils import SchedulerType

from backend.modeling.loading import load_for_training, load_model
from backend.modeling.methods import finished_model, make_trainable, save_trained
from backend.train import train
from backend.training.schedules import WATCHING, require_schedule, schedule_options
from backend.worker import Paused, RunFolder
from studio.contract import TrainSpec
from studio.errors import InputError
from tests.support.samples import numbered, write_folder
from tests.support.tiny_models import events_of, quick_spec, result_of, write_run


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data"), train=numbered(12), eval=numbered(5, start=20))


def trained(folder, model, dataset, **changes):
    """The losses of a short run."""
    train(RunFolder(write_run(folder, quick_spec(model, dataset, **changes))))
    return [event.loss for event in events_of(folder) if event.event == "step"]


SCHEDULES = sorted(TrainSpec.model_fields["lr_scheduler_type"].annotation.__args__)


def test_every_schedule_of_transformers_can_be_chosen():
    assert {kind.value for kind in SchedulerType} <= set(SCHEDULES)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_starts_without_numbers_and_warms_up(name):
    require_schedule(quick_spec("model", "data", lr_scheduler_type=name))
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    schedule = get_scheduler(
        name,
        optimizer,
        num_warmup_steps=10,
        num_training_steps=100,
        scheduler_specific_kwargs=schedule_options(name, {}, 100),
    )
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(99):
        optimizer.step()
        schedule.step(1.0) if name in WATCHING else schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert max(rates) == pytest.approx(1, abs=0.05) and min(rates[10:]) >= 0
    if name not in ("constant", *WATCHING):
        assert rates[0] < 0.2 and rates[5] < rates[10]


def test_a_number_that_a_schedule_does_not_take_is_refused_with_those_it_takes():
    spec = quick_spec("model", "data", lr_scheduler_type="polynomial", lr_scheduler_kwargs={"powr": 2})
    with pytest.raises(InputError, match="powr") as caught:
        require_schedule(spec)
    assert "power" in caught.value.remedy


def test_noise_and_recomputation_change_only_what_they_should(tmp_path, model, dataset):
    changes = {"finetuning_type": "full", "eval_dataset": None, "max_steps": 2}
    plain = trained(tmp_path / "plain", model, dataset, **changes)
    again = trained(tmp_path / "again", model, dataset, gradient_checkpointing=True, **changes)
    noisy = trained(tmp_path / "noisy", model, dataset, neftune_noise_alpha=15.0, **changes)
    assert again == pytest.approx(plain, abs=1e-5)
    assert abs(noisy[0] - plain[0]) > 1e-4


def test_clipping_is_counted(tmp_path, model, dataset):
    for limit, expected in ((1e-3, 1.0), (1e3, 0.0)):
        folder = tmp_path / str(limit)
        trained(folder, model, dataset, eval_dataset=None, max_grad_norm=limit, logging_steps=2, max_steps=4)
        assert [e.clipped for e in events_of(folder) if e.event == "step"] == [expected] * 2


@pytest.mark.parametrize("name", WATCHING)
def test_a_watching_schedule_follows_the_held_out_loss_through_a_pause(tmp_path, model, dataset, name):
    changes = {"eval_steps": 1, "max_steps": 6, "eval_category_accuracy": False}
    changes |= {"lr_scheduler_type": name, "lr_scheduler_kwargs": {"patience": 0, "factor": 0.5}}
    (tmp_path / "pause").touch()
    with pytest.raises(Paused):
        trained(tmp_path, model, dataset, learning_rate=0.5, **changes)
    (tmp_path / "pause").unlink()
    trained(tmp_path, model, dataset, learning_rate=0.5, **changes)
    rates = [e.learning_rate for e in events_of(tmp_path) if e.event == "step"]
    # The plateau schedule only lowers the rate; greedy also raises it while the loss falls.
    assert rates[0] == 0.5 and (rates[-1] != 0.5 if name == "greedy" else rates[-1] < 0.5)
    with pytest.raises(InputError, match=name):
        require_schedule(quick_spec(model, dataset, eval_dataset=None, lr_scheduler_type=name))


def test_the_last_held_out_accuracy_is_that_of_the_evaluation(tmp_path, model, dataset):
    trained(tmp_path, model, dataset, evaluate_after=("direct",), learning_rate=1e-2)
    last = [event for event in events_of(tmp_path) if event.event == "held_out"][-1]
    scored = RunFolder(tmp_path).path / "scores.json"
    assert last.rows == 5 and f'"accuracy": {last.accuracy}' in scored.read_text()


def test_a_result_says_what_it_was_made_from(tmp_path, model, dataset):
    write_run(tmp_path, quick_spec(model, dataset, max_steps=1, eval_dataset=None))
    subprocess.run([sys.executable, "-m", "backend.train", str(tmp_path)], check=True, capture_output=True)
    result = result_of(tmp_path)
    assert result.dataset_sha256 == hashlib.sha256((dataset / "train.json").read_bytes()).hexdigest()
    whole = (model / "config.json").read_bytes() + (model / "model.safetensors").read_bytes()
    assert result.model_sha256 == hashlib.sha256(whole).hexdigest()
    assert result.versions["device"] and result.versions["torch"] == torch.__version__
    assert result.peak_memory_gib > 0


@pytest.mark.parametrize("method", ["lora", "freeze", "full"])
def test_what_learned_in_bfloat16_is_evaluated_as_it_is_served(tmp_path, model, dataset, method):
    spec = quick_spec(model, dataset, bf16=True, finetuning_type=method, freeze_trainable_layers=1)
    learned = make_trainable(load_for_training(spec), spec)
    torch.manual_seed(1)
    for weight in learned.parameters():
        if weight.requires_grad:
            weight.data += 0.02 * torch.randn_like(weight)
    save_trained(learned, tmp_path, spec)
    served = load_model(model, tmp_path) if method == "lora" else load_model(tmp_path)
    finished = finished_model(learned, spec, tmp_path).eval()
    ids = torch.arange(40)[None]
    with torch.no_grad():
        assert torch.allclose(finished(ids).logits, served.eval()(ids).logits, atol=1e-5)


@pytest.mark.parametrize(
    "method", [{}, {"finetuning_type": "freeze", "freeze_trainable_layers": 1}], ids=["lora", "freeze"]
)
def test_bfloat16_learns_what_float32_learns(tmp_path, model, dataset, method):
    changes = method | {"eval_dataset": None, "max_steps": 6, "learning_rate": 1e-2, "padding_free": True}
    exact = trained(tmp_path / "exact", model, dataset, **changes)
    rounded = trained(tmp_path / "rounded", model, dataset, bf16=True, **changes)
    assert exact[-1] < exact[0] - 0.02
    assert rounded == pytest.approx(exact, abs=0.02) and rounded != exact
