"""Whether a training fits: badges, the cheapest change, and the tutorial's hardware table."""

from pathlib import Path

import pytest

from studio.contract import TrainSpec
from studio.training.memory import Estimate
from studio.training.memory_fit import HARDWARE_TABLE, Capacity, cheapest_change, fit, places, tutorial_rule

GPU = Capacity(name="GPU", memory_gib=24, is_gpu=True)


def spec(**fields):
    return TrainSpec(model_name_or_path=Path("m"), dataset_dir=Path("d"), **fields)


def needs(spec):
    """Estimate 14 GiB of weights in 16 bit and 1 GiB of activations a row: enough to compare the changes."""
    weights = 14 * (spec.quantization_bit or 16) / 16
    learned = 14.0 if spec.finetuning_type == "full" else 0.2
    return Estimate(
        weights_gib=weights,
        adapter_gib=0.0 if spec.finetuning_type == "full" else 0.2,
        optimizer_gib=learned * (1 if "8bit" in spec.optim else 4),
        gradients_gib=learned,
        activations_gib=spec.per_device_train_batch_size * (0.2 if spec.gradient_checkpointing else 1.0),
        logits_gib=0.0,
        overhead_gib=0.5,
    )


@pytest.mark.parametrize(
    ("gib", "found"), [(21.5, "fits"), (22, "tight"), (24, "tight"), (24.1, "too_large")]
)
def test_the_badge(gib, found):
    assert fit(gib, GPU) == found


def test_a_smaller_batch_with_accumulation_comes_before_qlora():
    asked = spec(per_device_train_batch_size=8, gradient_accumulation_steps=2, gradient_checkpointing=True)
    change = cheapest_change(asked, 18.5, needs)
    assert change.sets == {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 4}
    assert change.total_gib <= 0.9 * 18.5 and "批大小 4" in change.text


@pytest.mark.parametrize("choice", [False, None])
def test_checkpointing_comes_first_where_it_is_off_or_left_to_the_run(choice):
    change = cheapest_change(spec(gradient_checkpointing=choice), 22, needs)
    assert change.sets == {"gradient_checkpointing": True}


def test_qlora_where_the_weights_are_too_large():
    change = cheapest_change(spec(per_device_train_batch_size=1), 12, needs)
    assert change.sets == {"quantization_bit": 8}
    assert cheapest_change(spec(per_device_train_batch_size=1), 7, needs).sets == {"quantization_bit": 4}


def test_full_becomes_lora_only_where_nothing_else_helps():
    change = cheapest_change(spec(finetuning_type="full", per_device_train_batch_size=1), 24, needs)
    assert change.sets["finetuning_type"] == "lora"
    assert cheapest_change(spec(), 2, needs) is None


@pytest.mark.parametrize(
    "fields", [{}, {"finetuning_type": "full"}, {"finetuning_type": "freeze"}, {"pissa_init": True}]
)
@pytest.mark.parametrize("gib", [6, 12, 24, 48])
def test_a_change_is_a_spec_that_can_be_used_and_fits(fields, gib):
    change = cheapest_change(spec(**fields), gib, needs)
    if change:
        changed = TrainSpec.model_validate(spec(**fields).model_dump() | change.sets)
        assert needs(changed).total_gib == change.total_gib <= 0.9 * gib


def test_the_table_is_the_readmes():
    # LLaMA-Factory 0.9.5, README, "Hardware Requirement".
    sizes = {(row[0], row[1]): row[2:] for row in HARDWARE_TABLE}
    assert sizes["freeze, LoRA", "16"] == ("16", "32", "64", "160", "2x")
    assert sizes["QLoRA", "4"] == ("6", "12", "24", "48", "x/2")


@pytest.mark.parametrize(
    ("fields", "gb"),
    [
        ({}, 14),
        ({"quantization_bit": 4}, 3.5),
        ({"quantization_bit": 8}, 7),
        ({"finetuning_type": "full"}, 126),
    ],
)
def test_the_rule_of_the_table(fields, gb):
    assert tutorial_rule(spec(**fields), 7_000_000_000).gb == gb
    assert tutorial_rule(spec(**fields), 0) is None


def test_equal_devices_are_one_badge_and_the_processors_come_last(monkeypatch):
    from studio.jobs import devices
    from studio.jobs.devices import Device

    cards = [Device(id=f"cuda:{n}", name="Card", memory_gib=80.0) for n in range(8)]
    monkeypatch.setattr(devices, "list_devices", lambda: (*cards, Device(id="cpu", name="CPU")))
    found = places()
    assert [place.name for place in found] == ["Card", "CPU"]
    assert found[1].memory_gib > 0
