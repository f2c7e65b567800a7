"""Which settings have an effect under which method, and the same training as a command."""

import itertools
import shlex
from pathlib import Path

import pytest

from studio.contract import TrainSpec
from studio.training.field_relevance import matters, only_what_matters
from studio.training.presets import PRESETS, checked_spec, method_of, rate_reason, with_method, with_texts
from studio.training.shell_commands import as_one_line, by_file, by_launcher
from studio.training.spec_loading import build_train_spec
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL, open_workspace

METHODS = ["lora", "qlora4", "qlora8", "freeze", "full"]


def start(name="sound_default"):
    return PRESETS[name](BUNDLED_MODEL, BUNDLED_DATASET)


@pytest.mark.parametrize(("preset", "method"), [*itertools.product(PRESETS, METHODS)])
def test_every_preset_has_every_method_and_both_stages(preset, method):
    spec = with_method(start(preset), method)
    assert method_of(spec) == method
    assert checked_spec(only_what_matters(spec.model_dump())) == spec
    texts = with_texts(spec)
    assert (texts.stage, texts.eval_dataset, texts.val_size) == ("pt", None, 0.02)
    assert method_of(texts) == method


def test_the_weights_themselves_learn_at_a_tenth_of_the_rate():
    assert with_method(start(), "full").learning_rate == pytest.approx(1.5e-4)
    assert with_method(start("tutorial"), "full").learning_rate == 5e-6
    assert with_method(start(), "qlora4").learning_rate == start().learning_rate
    assert rate_reason(with_method(start(), "full"), 11_000_000) != rate_reason(start(), 11_000_000)


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("lora_rank", {}, True),
        ("lora_rank", {"finetuning_type": "full"}, False),
        ("lora_rank", {"adapter_name_or_path": Path("a")}, False),
        ("loraplus_lr_ratio", {"adapter_name_or_path": Path("a")}, True),
        ("freeze_trainable_layers", {"finetuning_type": "freeze"}, True),
        ("quantization_type", {"quantization_bit": 8}, False),
        ("quantization_type", {"quantization_bit": 4}, True),
        ("pissa_init", {"quantization_bit": 4}, False),
        ("template", {"stage": "pt"}, False),
        ("early_stopping_steps", {"eval_dataset": None}, False),
        ("early_stopping_steps", {"eval_dataset": None, "val_size": 0.1}, True),
        ("metric_for_best_model", {}, False),
        ("metric_for_best_model", {"load_best_model_at_end": True}, True),
        ("max_new_tokens", {"evaluate_after": ("direct",)}, False),
        ("warmup_ratio", {"warmup_steps": 10}, False),
        ("learning_rate", {"finetuning_type": "full"}, True),
    ],
)
def test_what_matters(name, changes, expected):
    assert matters(name, start().model_dump() | changes) is expected


def test_a_value_that_nobody_sees_refuses_no_spec():
    typed = start().model_dump() | {"use_dora": True, "pissa_init": True, "loraplus_lr_ratio": 16.0}
    spec = checked_spec(only_what_matters(typed | {"finetuning_type": "freeze"}))
    assert (spec.use_dora, spec.pissa_init, spec.loraplus_lr_ratio) == (False, False, None)
    assert not checked_spec(only_what_matters(typed | {"quantization_bit": 4})).pissa_init


@pytest.mark.parametrize(("preset", "method"), [*itertools.product(PRESETS, METHODS)])
def test_the_command_builds_the_very_spec(tmp_path, preset, method):
    spec = with_method(start(preset), method).model_copy(
        update={
            "lora_target": "q_proj,v_proj" if "lora" in method else "all",
            "val_size": 0.1,
            "eval_dataset": None,
        }
    )
    command = as_one_line(spec, start(), model="bundled", dataset="bundled")
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:2] == ["news-studio", "train"]
    options = list(zip(words[2::2], words[3::2], strict=True))
    settings = [value for option, value in options if option == "--set"]
    built, _ = build_train_spec(open_workspace(tmp_path), None, "bundled", "bundled", settings)
    assert built == spec


def test_numbers_of_a_schedule_and_several_answers_survive_the_command(tmp_path):
    spec = start().model_copy(
        update={
            "lr_scheduler_type": "cosine_with_min_lr",
            "lr_scheduler_kwargs": {"min_lr_rate": 0.1},
            "evaluate_after": ("direct",),
            "learning_rate": 1 / 3,
        }
    )
    words = shlex.split(as_one_line(spec, start(), model="m", dataset="d").replace("\\\n", " "))
    settings = [word for option, word in itertools.pairwise(words) if option == "--set"]
    built, _ = build_train_spec(open_workspace(tmp_path), None, "bundled", "bundled", settings)
    assert built == spec


def test_a_folder_with_blanks_is_quoted():
    assert shlex.split(by_file("my spec.yaml"))[-1] == "my spec.yaml"
    for launcher, program in (("accelerate", "accelerate"), ("torchrun", "torchrun")):
        line = by_launcher(launcher, folder="a b").splitlines()[-1]
        assert shlex.split(line)[0] == program and shlex.split(line)[-1] == "a b"


def test_the_texts_of_a_preset_are_a_spec():
    assert TrainSpec.model_validate(with_texts(start()).model_dump()).num_train_epochs == 1
