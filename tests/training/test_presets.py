"""Presets are complete specs, and every setting has a label and a help text in both languages."""

from pathlib import Path

import pytest

from pages.sections.train.field_texts import FIELD_TEXTS, field_help, field_label
from pages.sections.train.spec_form import GROUPS, IMPORTANT, NOT_ASKED
from studio.contract import TrainSpec
from studio.errors import InputError
from studio.language import current_language
from studio.training.presets import PRESETS, adjusted_rate, checked_spec, rate_parts, starting_rate
from studio.workspace import BUNDLED_MODEL

MODEL, DATA = Path("model"), Path("data")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_whole_spec(name):
    spec = PRESETS[name](MODEL, DATA)
    assert checked_spec(spec.model_dump()) == spec


def test_the_learning_rate_starts_from_the_size_of_the_model():
    assert starting_rate(7_600_000_000) == 2e-4
    assert starting_rate(1_500_000_000) == pytest.approx(4.5e-4, rel=0.01)
    assert starting_rate(500_000_000) == 5e-4
    assert starting_rate(70_000_000_000) == 2e-4


@pytest.mark.parametrize(
    ("changes", "rate"),
    [
        ({}, 2e-4),
        ({"lora_rank": 64}, 2e-4),
        ({"per_device_train_batch_size": 16, "gradient_accumulation_steps": 2}, 4e-4),
        ({"lora_rank": 8, "lora_alpha": 32}, 1e-4),
        ({"lora_rank": 16, "lora_alpha": 32, "use_rslora": True}, 5e-5),
    ],
)
def test_the_rate_follows_the_step_and_the_scale_not_the_rank(changes, rate):
    spec = PRESETS["sound_default"](MODEL, DATA).model_copy(update=changes)
    assert adjusted_rate(2e-4, spec) == pytest.approx(rate)
    assert bool(rate_parts(spec)) == (rate != 2e-4)


def test_the_sound_default_is_another_for_the_bundled_model():
    bundled, large = (PRESETS["sound_default"](model, DATA) for model in (BUNDLED_MODEL, MODEL))
    assert bundled.learning_rate > large.learning_rate == 2e-4


def test_the_tutorial_is_the_tutorials():
    spec = PRESETS["tutorial"](MODEL, DATA)
    found = (spec.learning_rate, spec.gradient_accumulation_steps, spec.loraplus_lr_ratio, spec.lora_target)
    assert found == (5e-6, 2, 16, "all")


def test_every_setting_has_a_chinese_text():
    assert set(FIELD_TEXTS) == set(TrainSpec.model_fields)


def test_every_setting_is_on_the_page_or_left_out_on_purpose():
    asked = [*IMPORTANT, *(name for _, names in GROUPS.values() for name in names), *NOT_ASKED]
    assert sorted(asked) == sorted(TrainSpec.model_fields)


@pytest.fixture
def english():
    token = current_language.set("en")
    yield
    current_language.reset(token)


def test_the_english_help_is_the_specs_description(english):
    assert TrainSpec.model_fields["lora_rank"].description in field_help("lora_rank")
    labels = [field_label(name) for name in ("lora_rank", "use_rslora", "learning_rate", "bf16")]
    assert labels == ["LoRA rank", "Use rsLoRA", "Learning rate", "Bf16"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"lora_rank": 0}, "lora_rank：应不小于 1。"),
        ({"learning_rate": 2}, "learning_rate：应小于 1。"),
        ({"num_train_epochs": 0}, "num_train_epochs：应大于 0。"),
        ({"finetuning_type": "full", "use_dora": True}, "finetuning_type lora"),
    ],
)
def test_an_invalid_setting_is_reported_by_its_name(values, sentence):
    base = PRESETS["quick_look"](MODEL, DATA).model_dump()
    with pytest.raises(InputError, match="请改正") as caught:
        checked_spec(base | values)
    assert sentence in caught.value.problem
