"""The memory estimate against real peaks, and its direction for settings that were not measured."""

from pathlib import Path

import pytest

from backend.modeling.loading import load_for_training
from backend.training.gradient_checkpointing import needed_bytes
from studio.training.memory import GIB, ModelShape, estimate, shape_of
from studio.training.memory_fit import model_shape
from tests.support.model_shapes import SHAPES
from tests.support.tiny_models import quick_spec, save_tiny_model
from tests.support.training_methods import METHODS, benchmark_spec

# GiB that the driver gave away at the peak: benchmarks/gpu/memory.py on one H200, 2026-11-26.
MEASURED = """
7B lora 256 2 18.21
7B lora 256 8 25.17
7B lora 1024 2 25.17
7B lora 1024 8 50.83
7B qlora4 256 2 9.35
7B qlora4 256 8 16.48
7B qlora4 1024 2 16.48
7B qlora4 1024 8 41.91
0.5B lora 256 2 2.97
0.5B lora 256 8 4.92
0.5B lora 1024 2 4.92
0.5B lora 1024 8 10.55
0.5B qlora4 256 2 2.56
0.5B qlora4 256 8 4.45
0.5B qlora4 1024 2 4.45
0.5B qlora4 1024 8 10.06
0.5B full 256 2 10.14
0.5B full 256 8 11.10
0.5B full 1024 2 11.10
0.5B full 1024 8 17.25
1.5B lora 256 2 5.55
1.5B lora 256 8 9.01
1.5B lora 1024 2 9.01
1.5B lora 1024 8 20.86
1.5B qlora4 256 2 3.80
1.5B qlora4 256 8 7.28
1.5B qlora4 1024 2 7.28
1.5B qlora4 1024 8 19.13
1.5B full 256 2 29.94
1.5B full 256 8 30.12
1.5B full 1024 2 30.12
1.5B full 1024 8 40.52
0.5B qlora8 256 2 2.72
0.5B qlora8 256 8 4.65
0.5B qlora8 1024 2 4.65
0.5B qlora8 1024 8 10.28
0.5B freeze 256 2 2.87
0.5B freeze 256 8 3.50
0.5B freeze 1024 2 3.50
0.5B freeze 1024 8 4.03
0.5B dropout 256 2 3.20
0.5B dropout 256 8 5.87
0.5B dropout 1024 2 5.87
0.5B dropout 1024 8 13.97
0.5B dora 256 2 3.71
0.5B dora 256 8 7.80
0.5B dora 1024 2 7.80
0.5B dora 1024 8 21.38
7B freeze 256 2 22.96
7B freeze 256 8 23.45
7B freeze 1024 2 23.45
7B freeze 1024 8 24.26
7B dropout 256 2 19.29
7B dropout 256 8 29.12
7B dropout 1024 2 29.12
7B dropout 1024 8 66.38
7B dora 256 2 22.73
7B dora 256 8 39.18
7B dora 1024 2 39.18
7B dora 1024 8 102.95
7B twice 256 2 16.22
7B twice 256 8 17.10
7B twice 1024 2 17.10
7B twice 1024 8 19.05
0.5B twice 256 2 2.54
0.5B twice 256 8 3.16
0.5B twice 1024 2 3.16
0.5B twice 1024 8 3.48
"""
CASES = [line.split() for line in MEASURED.split("\n") if line]


def estimated(shape, method, length, batch, **changes):
    spec = benchmark_spec(
        Path("model"),
        Path("data"),
        cutoff_len=int(length),
        per_device_train_batch_size=int(batch),
        **{"gradient_checkpointing": False} | METHODS[method] | changes,
    )
    return estimate(spec, shape_of(SHAPES[shape].config().to_dict()))


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_the_estimate_is_near_the_peak_that_was_measured(case):
    *what, gib = case
    assert estimated(*what).total_gib == pytest.approx(float(gib), rel=0.15)


@pytest.mark.parametrize(
    "changes",
    [
        {"gradient_checkpointing": True},
        {"per_device_train_batch_size": 1},
        {"quantization_bit": 4},
        {"lora_rank": 4},
        {"optim": "adamw_8bit"},
        {"finetuning_type": "freeze", "freeze_trainable_layers": 1},
    ],
)
def test_what_makes_a_training_smaller_makes_its_estimate_smaller(changes):
    shape = shape_of(SHAPES["7B"].config().to_dict())
    spec = benchmark_spec(
        Path("m"), Path("d"), cutoff_len=1024, per_device_train_batch_size=8, gradient_checkpointing=False
    )
    whole = spec.model_copy(update={"finetuning_type": "full"}) if "finetuning_type" in changes else spec
    assert estimate(whole.model_copy(update=changes), shape).total_gib < estimate(whole, shape).total_gib


def test_the_longest_row_counts_where_it_is_known():
    shape = shape_of(SHAPES["0.5B"].config().to_dict())
    spec = benchmark_spec(Path("m"), Path("d"), cutoff_len=4096)
    short = benchmark_spec(Path("m"), Path("d"), cutoff_len=200)
    assert estimate(spec, shape, longest=200) == estimate(short, shape)
    assert estimate(spec, shape, longest=9999) == estimate(spec, shape)


def test_a_config_gives_the_parameters_that_the_weights_have(tmp_path):
    folder = save_tiny_model(tmp_path)
    counted = model_shape(folder).parameters
    assert counted == sum(p.numel() for p in load_for_training(quick_spec(folder, folder)).parameters())
    config = SHAPES["7B"].config().to_dict()
    assert shape_of(config).parameters == pytest.approx(7.62e9, rel=0.01)  # the model card of Qwen2.5-7B
    with pytest.raises(KeyError):
        shape_of({"hidden_size": 8})


def test_the_worker_counts_its_longest_rows(tmp_path):
    folder = save_tiny_model(tmp_path)
    model = load_for_training(quick_spec(folder, folder))
    spec = quick_spec(folder, folder, per_device_train_batch_size=2, cutoff_len=512)
    found = needed_bytes(model, spec, (7, 100, 60, 3))
    assert isinstance(shape_of(model.config.to_dict()), ModelShape)
    # The two longest come together at worst: 160 tokens.
    two_of_80 = needed_bytes(model, spec, [80] * 4)
    assert found == pytest.approx(two_of_80, rel=0.01) and found < 1 * GIB


def test_pairs_take_both_answers_and_a_copy_of_the_adapter():
    shape = shape_of(SHAPES["1.5B"].config().to_dict())
    sft = quick_spec(Path("m"), Path("d"), cutoff_len=512, lora_rank=16)
    parts = {
        stage: estimate(sft.model_copy(update={"stage": stage}), shape)
        for stage in ("sft", "dpo", "kto", "orpo")
    }
    assert parts["dpo"].activations_gib == pytest.approx(2 * parts["kto"].activations_gib)
    assert parts["kto"].activations_gib == parts["sft"].activations_gib
    # DPO and KTO never hold the logits of a whole batch, ORPO does.
    assert parts["dpo"].logits_gib < 1 < parts["orpo"].logits_gib
    on = sft.model_copy(update={"stage": "dpo", "adapter_name_or_path": Path("a")})
    assert estimate(on, shape).adapter_gib == pytest.approx(2 * parts["dpo"].adapter_gib)
