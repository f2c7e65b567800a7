"""Training on preference pairs: TRL's losses behind our specs, run folders, resume and held-out rows."""

import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from backend.data.pairs import encode_pair, read_pairs
from backend.data.templates import Renderer
from backend.modeling.loading import load_for_training
from backend.modeling.tokenizers import load_tokenizer
from backend.train import make_trainer, prepare, train
from backend.training.preference import REFERENCE
from backend.worker import Cancelled, Paused, RunFolder
from studio.contract import TrainSpec
from studio.errors import InputError, UnreadableFile
from tests.support.pairs import pair, write_pairs
from tests.support.samples import numbered
from tests.support.tiny_models import (
    events_of,
    losses_of,
    quick_spec,
    result_of,
    scores_of,
    write_run,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    pairs = [pair(i, chosen="体育" if i % 2 else "国内") for i in range(11)]
    return write_pairs(tmp_path_factory.mktemp("pairs"), pairs, numbered(4, start=20))


def spec_of(model, dataset, stage="dpo", **changes):
    fields = {"per_device_train_batch_size": 4, "learning_rate": 1e-2, "allow_few_pairs": True}
    return quick_spec(model, dataset, stage=stage, **{**fields, **changes})


def trained(folder, *args, **changes):
    train(RunFolder(write_run(folder, spec_of(*args, **changes))))
    return folder


@pytest.fixture(scope="module")
def start(tmp_path_factory, model, dataset):
    """The adapter of a finished run, to train on from."""
    folder = trained(tmp_path_factory.mktemp("start") / "run", model, dataset, "orpo", eval_dataset=None)
    return folder / "checkpoints" / "step_000003"


@pytest.mark.parametrize("stage", ["dpo", "kto", "orpo"])
def test_a_run_on_pairs_leaves_curve_adapter_and_both_scores(tmp_path, model, dataset, stage):
    changes = {"max_steps": 6, "evaluate_after": ("direct",)}
    folder = trained(tmp_path / "run", model, dataset, stage, **changes)
    steps = [event for event in events_of(folder) if event.event == "step"]
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6]
    # Two epochs of 11 pairs, or of 22 single answers.
    assert steps[-1].samples_seen in (22, 24) and steps[-1].tokens_seen > 500
    assert sum(step.margin or 0 for step in steps[3:]) > sum(step.margin or 0 for step in steps[:1])
    assert (folder / "checkpoints/step_000006/adapter_model.safetensors").is_file()
    assert not list(folder.glob("checkpoints/*/ref")) and not list(folder.rglob("*.bin"))
    held = [event for event in events_of(folder) if event.event == "held_out"]
    assert held[-1].accuracy is not None and held[-1].rows == 4
    assert (
        scores_of(folder).evaluations["direct"].n == scores_of(folder / "start").evaluations["direct"].n == 4
    )


def test_the_first_loss_of_dpo_is_that_of_a_coin_and_the_nll_of_the_chosen(tmp_path, model, dataset):
    plain = trained(tmp_path / "plain", model, dataset, pref_ftx=0, max_steps=1)
    assert losses_of(plain) == pytest.approx([0.6931], abs=1e-3)
    ipo = trained(tmp_path / "ipo", model, dataset, pref_ftx=0, pref_loss="ipo", max_steps=1)
    assert losses_of(ipo) == pytest.approx([(1 / 0.2) ** 2], abs=1e-2)
    both = trained(tmp_path / "both", model, dataset, max_steps=1)
    assert losses_of(both)[0] > 0.6931 + 3


def ready_trainer(tmp_path, spec):
    folder = RunFolder(write_run(tmp_path / "run", spec))
    ready = prepare(folder, spec, load_for_training)
    return ready.model, make_trainer(folder.path, spec, ready)


def test_the_reference_of_a_new_adapter_is_the_base_without_a_copy(tmp_path, model, dataset):
    adapted, _ = ready_trainer(tmp_path, spec_of(model, dataset))
    assert set(adapted.peft_config) == {"default"}


def test_the_reference_of_an_adapter_trained_on_is_its_frozen_copy(tmp_path, model, dataset, start):
    adapted, trainer = ready_trainer(tmp_path, spec_of(model, dataset, adapter_name_or_path=start))
    copies = {name: weight for name, weight in adapted.named_parameters() if f".{REFERENCE}." in name}
    assert copies and not any(weight.requires_grad for weight in copies.values())
    before = {name: weight.clone() for name, weight in copies.items()}
    trainer.train()
    moved = dict(adapted.named_parameters())
    assert all(torch.equal(before[name], moved[name]) for name in before)
    learned = [name.replace(f".{REFERENCE}.", ".default.") for name in before]
    assert any(
        not torch.equal(moved[name], before[name.replace(".default.", f".{REFERENCE}.")]) for name in learned
    )


def test_a_pair_is_tokenized_as_its_conversations_are_served(model, dataset):
    renderer = Renderer(load_tokenizer(model))
    first = read_pairs(dataset, "train")[0]
    tokens = encode_pair(renderer, first)
    assert renderer.tokenizer.decode(tokens.prompt).endswith("<think>\n")
    assert renderer.tokenizer.decode(tokens.chosen).startswith("球队\n</think>\n\n国内")
    assert tokens.chosen[-1] == tokens.rejected[-1] == renderer.tokenizer.eos_token_id


def test_direct_answers_begin_with_their_empty_chain(tmp_path, model):
    folder = write_pairs(tmp_path, [pair(1, chain="")])
    renderer = Renderer(load_tokenizer(model), "qwen")
    tokens = encode_pair(renderer, read_pairs(folder, "train")[0])
    assert not renderer.tokenizer.decode(tokens.prompt).endswith("<think>\n")
    assert renderer.tokenizer.decode(tokens.chosen).startswith("<think>\n\n</think>\n\n体育")


def test_a_mark_in_a_title_is_plain_text(tmp_path, model):
    marked = pair(1)
    marked["conversations"][0]["value"] += "<think>\n<｜end▁of▁sentence｜>"
    tokenizer = load_tokenizer(model)
    tokens = encode_pair(Renderer(tokenizer), read_pairs(write_pairs(tmp_path, [marked]), "train")[0])
    ids = tokens.prompt + tokens.chosen
    assert ids.count(tokenizer.eos_token_id) == 1
    assert ids.count(tokenizer.convert_tokens_to_ids("<think>")) == 1


def test_few_pairs_and_a_single_category_are_refused(tmp_path, model, dataset):
    with pytest.raises(InputError, match="100"):
        trained(tmp_path / "few", model, dataset, allow_few_pairs=False)
    same = write_pairs(tmp_path / "data", [pair(i) for i in range(100)])
    with pytest.raises(InputError, match="体育"):
        trained(tmp_path / "same", model, same, allow_few_pairs=False, eval_dataset=None)


def test_a_row_without_a_rejected_answer_is_named(tmp_path, model):
    lacking = pair(1)
    del lacking["rejected"]
    folder = write_pairs(tmp_path / "data", [pair(0), lacking])
    with pytest.raises(UnreadableFile, match="2"):
        trained(tmp_path / "run", model, folder, eval_dataset=None)


@pytest.mark.parametrize(
    "changes",
    [
        {"finetuning_type": "full"},
        {"val_size": 0.1, "eval_dataset": None},
        {"additional_target": "embed_tokens"},
        {"overlong": "cut_chain"},
        {"stage": "kto", "per_device_train_batch_size": 1},
    ],
)
def test_settings_that_do_not_fit_are_refused_with_what_to_do(model, dataset, changes):
    fields = {"model_name_or_path": model, "dataset_dir": dataset, "stage": "dpo"}
    with pytest.raises(ValueError, match=r"lora|eval_dataset|lm_head|overlong|batch_size"):
        TrainSpec(**(fields | changes))


RESUMED = {
    "max_steps": 12,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 2,
    "save_steps": 2,
    "logging_steps": 3,
    "lora_dropout": 0.2,
    "lr_scheduler_type": "cosine",
}


@pytest.fixture(scope="module", params=["dpo", "kto"])
def whole(request, tmp_path_factory, model, dataset, start):
    """An uninterrupted run, from an adapter, of each stage."""
    changes = {**RESUMED, "adapter_name_or_path": start}
    return trained(tmp_path_factory.mktemp("whole") / "run", model, dataset, request.param, **changes)


def newest_step(folder):
    return max((int(p.name.removeprefix("step_")) for p in folder.glob("checkpoints/step_*")), default=0)


def test_a_killed_run_resumes_with_the_losses_of_an_uninterrupted_one(tmp_path, whole):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "spec.json").write_bytes((whole / "spec.json").read_bytes())
    reach = random.Random().choice([2, 4, 8])
    with subprocess.Popen(
        [sys.executable, "-m", "backend.train", str(folder)], stderr=subprocess.DEVNULL
    ) as process:
        while newest_step(folder) < reach and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (folder / "result.json").exists() and reach <= newest_step(folder) < 12
    train(RunFolder(folder))
    assert losses_of(folder) == pytest.approx(losses_of(whole), abs=1e-4)
    ends = [
        [event.loss for event in events_of(run) if event.event == "held_out"][-1] for run in (folder, whole)
    ]
    assert ends[0] == pytest.approx(ends[1], abs=1e-4)


@pytest.mark.parametrize(("request_file", "raised"), [("pause", Paused), ("cancel", Cancelled)])
def test_a_run_on_pairs_is_paused_and_cancelled(tmp_path, model, dataset, request_file, raised):
    folder = write_run(tmp_path / "run", spec_of(model, dataset, max_steps=8, eval_dataset=None))
    (folder / request_file).touch()
    with pytest.raises(raised):
        train(RunFolder(folder))
    assert newest_step(folder) == 1


def test_the_worker_says_why_in_its_result(tmp_path, model, dataset):
    changes = {"allow_few_pairs": False, "evaluate_after": ("direct",)}
    folder = write_run(tmp_path / "run", spec_of(model, dataset, **changes))
    done = subprocess.run(
        [sys.executable, "-m", "backend.train", str(folder)], capture_output=True, check=False
    )
    result = result_of(folder)
    assert done.returncode == 1 and result.status == "failed" and "100" in result.message
    assert "allow_few_pairs" in result.remedy and not (folder / "start").exists()


def test_full_weights_learn_by_orpo(tmp_path, model, dataset):
    folder = trained(tmp_path / "run", model, dataset, "orpo", finetuning_type="full", eval_dataset=None)
    assert (folder / "checkpoints/step_000003/model.safetensors").is_file()
    assert losses_of(folder)[-1] < losses_of(folder)[0]
