"""What learns under each method, and that what is saved is what was trained."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.evaluate import evaluate
from backend.modeling.loading import load_for_training, load_model
from backend.modeling.methods import make_trainable, save_trained
from backend.modeling.optimizers import make_optimizer
from backend.train import train
from backend.worker import RunFolder
from studio.contract import EvaluateSpec, Prediction, Result
from studio.errors import ModelUnusable
from studio.runs import get_run, trained_model
from studio.workspace import open_workspace
from tests.support.samples import sample, write_folder
from tests.support.tiny_models import events_of, losses_of, quick_spec, save_tiny_model, scores_of, write_run

ARCHITECTURES = ["qwen2", "qwen3", "llama", "gemma"]
STEP = "checkpoints/step_000003"
TITLES = torch.arange(10, 90).view(2, 40)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A tiny model of each architecture; Gemma's head is tied to its embedding."""
    return {name: save_tiny_model(tmp_path_factory.mktemp(name), architecture=name) for name in ARCHITECTURES}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    rows = [sample(f"第{i}条标题", "体育", f"看“第{i}条”，归体育。") for i in range(6)]
    return write_folder(tmp_path_factory.mktemp("data"), train=rows, eval=rows[:2])


@pytest.fixture
def trained(tmp_path, models, dataset):
    """Trains a few steps as the worker does, and says in which folder."""

    runs = open_workspace(tmp_path / "home").runs

    def run(architecture="qwen2", **changes):
        path = runs / f"run{len(list(runs.iterdir()))}"
        train(RunFolder(write_run(path, spec_for(models, dataset, architecture, **changes))))
        return path

    return run


def spec_for(models, dataset, architecture="qwen2", **changes):
    return quick_spec(
        models[architecture], dataset, **{"eval_dataset": None, "learning_rate": 1e-2, **changes}
    )


@torch.no_grad()
def logits(model):
    return model.eval()(input_ids=TITLES).logits


def learning(model):
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


@pytest.fixture
def stepped(models, dataset):
    """A model after two optimizer steps under a spec, with the spec."""

    def run(architecture="qwen2", **changes):
        spec = spec_for(models, dataset, architecture, **changes)
        model = make_trainable(load_for_training(spec), spec)
        optimizer = make_optimizer(model, spec) or torch.optim.AdamW(
            [p for p in model.parameters() if p.requires_grad], lr=1e-2
        )
        for _ in range(2):
            optimizer.zero_grad()
            model(input_ids=TITLES, labels=TITLES).loss.backward()
            optimizer.step()
        return model, spec

    return run


# Any architecture


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_frozen_run_learns_and_its_checkpoint_is_a_whole_model(trained, models, architecture):
    run = trained(architecture, finetuning_type="freeze", freeze_trainable_layers=1)
    assert losses_of(run)[-1] < losses_of(run)[0]
    before, after = (load_model(path).state_dict() for path in (models[architecture], run / STEP))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all("layers.1." in name for name in changed)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_base_and_saved_adapter_together_are_what_training_ended_with(stepped, tmp_path, architecture):
    model, spec = stepped(architecture)
    require_saved_is_trained(model, spec, tmp_path)


def require_saved_is_trained(model, spec, folder):
    untrained = logits(load_model(spec.model_name_or_path))
    ended = logits(model)
    save_trained(model, folder, spec)
    saved = logits(load_model(spec.model_name_or_path, folder))
    assert torch.allclose(saved, ended, atol=2e-5)
    assert not torch.allclose(saved, untrained, atol=1e-3)


# Freeze


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"freeze_trainable_layers": 1}, {"model.layers.1"}),
        ({"freeze_trainable_layers": -1}, {"model.layers.0"}),
        ({"freeze_trainable_layers": 2}, {"model.layers.0", "model.layers.1"}),
        (
            {"freeze_trainable_layers": 1, "freeze_trainable_modules": "mlp, q_proj"},
            {"model.layers.1.mlp", "model.layers.1.self_attn.q_proj"},
        ),
        (
            {"freeze_trainable_layers": 1, "freeze_trainable_modules": "mlp", "freeze_extra_modules": "norm,lm_head"},
            {"model.layers.1.mlp", "model.norm", "lm_head"},
        ),
    ],
)  # fmt: skip
def test_freeze_learns_what_it_names_and_nothing_else(models, dataset, changes, expected):
    spec = spec_for(models, dataset, finetuning_type="freeze", **changes)
    names = learning(make_trainable(load_for_training(spec), spec))
    assert names and all(any(name.startswith(f"{part}.") for part in expected) for name in names)
    assert all(any(name.startswith(f"{part}.") for name in names) for part in expected)


@pytest.mark.parametrize(
    ("changes", "valid"),
    [
        ({"freeze_trainable_layers": 3}, "1 到 2"),
        ({"freeze_trainable_modules": "self_atn"}, "all.*mlp.*self_attn"),
        ({"freeze_extra_modules": "q_proj"}, "embed_tokens.*lm_head.*norm"),
        ({"finetuning_type": "lora", "lora_target": "mlp"}, "all.*q_proj"),
        ({"finetuning_type": "lora", "additional_target": "wte"}, "embed_tokens.*input_layernorm"),
    ],
)
def test_a_wrong_name_lists_the_valid_ones(models, dataset, changes, valid):
    spec = spec_for(models, dataset, **{"finetuning_type": "freeze", **changes})
    with pytest.raises(ModelUnusable, match=valid):
        make_trainable(load_for_training(spec), spec)


# LoRA and its kinds

KINDS = {
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "pissa": {"pissa_init": True},
    "pissa exact": {"pissa_init": True, "pissa_iter": -1},
    "pissa rslora": {"pissa_init": True, "use_rslora": True},
    "norm": {"additional_target": "norm"},
    "embedding": {"additional_target": "embed_tokens,lm_head"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_saved_for_the_original_base(stepped, tmp_path, kind):
    model, spec = stepped(**KINDS[kind])
    require_saved_is_trained(model, spec, tmp_path)


def test_an_embedding_tied_to_the_head_stays_tied(stepped, tmp_path):
    model, spec = stepped("gemma", additional_target="embed_tokens")
    require_saved_is_trained(model, spec, tmp_path)
    merged = load_model(spec.model_name_or_path, tmp_path)
    assert torch.equal(merged.lm_head.weight, merged.get_input_embeddings().weight)


def test_norm_means_that_norm_and_not_every_layer_norm(models, dataset):
    spec = spec_for(models, dataset, additional_target="norm", lora_target="q_proj")
    names = learning(make_trainable(load_for_training(spec), spec))
    assert [name for name in names if "lora" not in name] == [
        "base_model.model.model.norm.modules_to_save.default.weight"
    ]


def test_pissa_starts_as_the_base_and_the_same_seed_takes_it_apart_the_same_way(models, dataset):
    spec = spec_for(models, dataset, pissa_init=True)
    torch.manual_seed(1)
    one = make_trainable(load_for_training(spec), spec)
    torch.manual_seed(2)
    two = make_trainable(load_for_training(spec), spec)
    assert torch.allclose(logits(one), logits(load_model(models["qwen2"])), atol=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_only_the_b_matrices_learn_faster_and_vectors_do_not_decay(models, dataset):
    spec = spec_for(
        models, dataset, "qwen2", loraplus_lr_ratio=16, learning_rate=1e-4, weight_decay=0.1,
        use_dora=True, additional_target="norm,embed_tokens",
    )  # fmt: skip
    model = make_trainable(load_for_training(spec), spec)
    rates = {
        id(p): (g["lr"], g["weight_decay"])
        for g in make_optimizer(model, spec).param_groups
        for p in g["params"]
    }
    found = {name: rates.pop(id(p)) for name, p in model.named_parameters() if p.requires_grad}
    assert not rates
    for name, rate in found.items():
        expected = (1e-4, 0.0) if "norm" in name or "magnitude" in name else (1e-4, 0.1)
        assert rate == pytest.approx((1.6e-3, 0.1) if "lora_B" in name else expected), name


@pytest.mark.parametrize("optim", ["adamw_torch_fused", "adamw_8bit", "paged_adamw_8bit", "adafactor"])
@pytest.mark.parametrize("ratio", [None, 4])
def test_every_optimizer_learns_also_under_lora_plus(trained, optim, ratio):
    run = trained(optim=optim, loraplus_lr_ratio=ratio, lr_scheduler_type="constant", warmup_ratio=0)
    assert losses_of(run)[-1] < losses_of(run)[0]


def test_a_continued_adapter_starts_where_it_was_and_is_saved_complete(trained, models):
    first = trained(lora_rank=2, additional_target="norm", lr_scheduler_type="constant")
    second = trained(adapter_name_or_path=first / STEP, lr_scheduler_type="constant")
    assert losses_of(second)[0] < losses_of(first)[0] - 0.01
    before, after = (load_file(run / STEP / "adapter_model.safetensors") for run in (first, second))
    assert before.keys() == after.keys() and any("norm" in name for name in after)
    assert json.loads((second / STEP / "adapter_config.json").read_text())["r"] == 2
    base = models["qwen2"]
    assert not torch.equal(logits(load_model(base, second / STEP)), logits(load_model(base, first / STEP)))


def test_an_adapter_of_another_model_is_refused(trained, tmp_path):
    other = trained("qwen3", max_steps=1) / "checkpoints/step_000001"
    wide = save_tiny_model(tmp_path / "wide", hidden=64)
    with pytest.raises(ModelUnusable, match=r"不适用于基座.*qwen3"):
        load_model(wide, other)


@pytest.mark.parametrize("damage", ["lacks a layer", "cut off", "absent"])
def test_an_incomplete_adapter_is_refused(trained, models, damage):
    adapter = trained(max_steps=1) / "checkpoints/step_000001"
    file = adapter / "adapter_model.safetensors"
    tensors = {name: t for name, t in load_file(file).items() if "layers.1" not in name}
    if damage == "lacks a layer":
        save_file(tensors, file)
    elif damage == "cut off":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        file.unlink()
    with pytest.raises(ModelUnusable):
        load_model(models["qwen2"], adapter)


# QLoRA

QUANTIZED = {
    "nf4": {"quantization_bit": 4},
    "fp4": {"quantization_bit": 4, "quantization_type": "fp4", "double_quantization": False},
    "int8": {"quantization_bit": 8},
}


@pytest.mark.parametrize("kind", QUANTIZED)
def test_a_quantized_base_learns_goes_on_after_evaluation_and_is_evaluated(trained, models, kind):
    run = trained(
        **QUANTIZED[kind], eval_dataset="eval", evaluate_after=("direct",), max_new_tokens=8,
        lr_scheduler_type="constant", warmup_ratio=0, max_steps=4,
    )  # fmt: skip
    assert losses_of(run)[-1] < losses_of(run)[0] - 0.01
    held_out = [event.loss for event in events_of(run) if event.event == "held_out"]
    assert held_out[-1] < held_out[0]
    assert scores_of(run).evaluations["direct"].n == 2
    adapter = run / "checkpoints/step_000004"
    assert not torch.allclose(
        logits(load_model(models["qwen2"], adapter)), logits(load_model(models["qwen2"])), atol=1e-3
    )


def test_the_linear_layers_are_quantized_and_nothing_else(models, dataset):
    spec = spec_for(models, dataset, quantization_bit=4)
    model = load_for_training(spec)
    kinds = {name: str(p.dtype) for name, p in model.named_parameters()}
    assert {kind for name, kind in kinds.items() if "_proj.weight" in name} == {"torch.uint8"}
    assert {kind for name, kind in kinds.items() if "_proj.weight" not in name} == {"torch.float32"}
    assert model.model.layers[0].mlp.up_proj.weight.quant_state.nested


# Everything together


METHODS = {
    "lora with a module": {"additional_target": "norm"},
    "freeze": {"finetuning_type": "freeze"},
    "full": {"finetuning_type": "full"},
    "rows held out": {"val_size": 2, "eval_dataset": None},
    "quantized": {"quantization_bit": 4},
}


@pytest.mark.parametrize("method", METHODS)
def test_each_method_is_scored_after_training_and_the_same_again_from_its_checkpoint(
    trained, dataset, method
):
    run = trained(**{"eval_dataset": "eval", "evaluate_after": ("direct",), **METHODS[method]})
    (run / "result.json").write_text(
        Result(status="done", seconds=1, peak_memory_gib=1, checkpoint=STEP).model_dump_json()
    )
    model, adapter = trained_model(get_run(open_workspace(run.parent.parent), run.name))
    own = "val_size" in METHODS[method]
    rows = tuple(sorted({p.row for p in predictions_of(run)})) if own else None
    spec = EvaluateSpec(
        model_name_or_path=model,
        adapter_name_or_path=adapter,
        dataset_dir=dataset,
        dataset="train" if own else "eval",
        rows=rows,
        answer="direct",
    )
    again = RunFolder(write_run(run.parent / "again", spec))
    evaluate(again)
    first, second = predictions_of(run), predictions_of(again.path)
    assert [p.row for p in first] == [p.row for p in second] and len(first) == 2
    for one, other in zip(first, second, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)


def predictions_of(run):
    return [
        Prediction.model_validate_json(line) for line in (run / "predictions.jsonl").read_text().splitlines()
    ]
