"""Training, by the real worker on small real models: it learns, reports, stops and saves."""

import math
import subprocess
import sys

import pytest
import torch
from transformers import AutoModelForCausalLM

from backend.data.encoding import PaddingCollator, encode_conversation
from backend.data.templates import Renderer
from backend.modeling.loading import load_model
from backend.modeling.methods import make_trainable
from backend.modeling.optimizers import make_optimizer
from backend.modeling.tokenizers import load_tokenizer
from backend.train import train
from backend.training.losses import summed_loss
from backend.training.trainer import StudioTrainer
from backend.worker import Cancelled, RunFolder
from studio.errors import ModelUnusable
from studio.samples.canonical import write_answer
from tests.support.samples import numbered, sample, write_folder
from tests.support.tiny_models import (
    adapter_base,
    events_of,
    losses_of,
    quick_spec,
    result_of,
    save_tiny_model,
    scores_of,
    write_run,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data"), train=numbered(12), eval=numbered(4, start=20))


def run(folder, model, dataset, **changes):
    return RunFolder(write_run(folder, quick_spec(model, dataset, **changes)))


def test_a_run_leaves_curve_checkpoint_predictions_scores_and_result(tmp_path, model, dataset):
    write_run(tmp_path, quick_spec(model, dataset, evaluate_after=("chain", "direct"), max_new_tokens=8))
    done = subprocess.run(
        [sys.executable, "-m", "backend.train", str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    result = result_of(tmp_path)
    assert (result.status, result.checkpoint) == ("done", "checkpoints/step_000003")
    assert result.versions["torch"] == torch.__version__
    kinds = [e.event for e in events_of(tmp_path)]
    assert kinds.count("step") == 3 and kinds.count("held_out") == 2
    assert scores_of(tmp_path).evaluations["direct"].n == 4
    assert len((tmp_path / "predictions.jsonl").read_text().splitlines()) == 8
    assert adapter_base(tmp_path / result.checkpoint) == str(model)


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3", "llama", "gemma"])
@pytest.mark.parametrize("method", ["lora", "full"])
def test_loss_falls_on_a_repeated_batch(tmp_path, dataset, architecture, method):
    model = save_tiny_model(tmp_path / "model", architecture=architecture)
    folder = run(
        tmp_path / "run",
        model,
        dataset,
        finetuning_type=method,
        max_steps=8,
        eval_dataset=None,
        learning_rate=1e-2,
    )
    train(folder)
    losses = losses_of(folder.path)
    assert losses[-1] < losses[0] - 0.03


def test_pre_training_reads_plain_text(tmp_path, model):
    text = tmp_path / "text"
    text.mkdir()
    (text / "lines.txt").write_text("今天天气很好\n" * 200, encoding="utf-8")
    (text / "dataset_info.json").write_text(
        '{"train": {"file_name": "lines.txt", "columns": {"prompt": "text"}}}'
    )
    folder = run(
        tmp_path / "run",
        model,
        text,
        stage="pt",
        finetuning_type="full",
        cutoff_len=64,
        eval_dataset=None,
        max_steps=6,
        learning_rate=1e-2,
    )
    train(folder)
    losses = losses_of(folder.path)
    assert losses[-1] < losses[0]
    saved = AutoModelForCausalLM.from_pretrained(folder.path / "checkpoints" / "step_000006")
    assert saved.config.use_cache


def test_the_same_spec_gives_the_same_losses(tmp_path, model, dataset):
    curves = []
    for name in ("one", "two"):
        folder = run(tmp_path / name, model, dataset, lora_dropout=0.1)
        train(folder)
        curves.append([e.loss for e in events_of(folder.path) if e.event == "step"])
    assert curves[0] == curves[1]


def test_a_cancelled_run_keeps_its_last_checkpoint(tmp_path, model, dataset):
    folder = run(tmp_path, model, dataset)
    (tmp_path / "cancel").touch()
    with pytest.raises(Cancelled):
        train(folder)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step_000001"]


def test_checkpoints_are_saved_on_the_way(tmp_path, model, dataset):
    train(run(tmp_path, model, dataset, save_steps=2))
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "step_000002",
        "step_000003",
    ]


def batch_of(model, counts):
    renderer = Renderer(load_tokenizer(model))
    return [
        encode_conversation(
            renderer,
            [
                {"role": "user", "content": "题" * n},
                {"role": "assistant", "content": write_answer("链" * n, "体育")},
            ],
            label_weight=3.0,
        )
        for n in counts
    ]


def gradient(model_dir, dataset, tmp_path, samples, batch, accumulation):
    from backend.training.arguments import training_arguments

    spec = quick_spec(
        model_dir,
        dataset,
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=accumulation,
        max_steps=1,
    )
    spec = spec.model_copy(update={"lr_scheduler_type": "constant"})
    torch.manual_seed(0)
    model = make_trainable(load_model(model_dir), spec.model_copy(update={"finetuning_type": "full"}))
    seen = {}
    trainer = StudioTrainer(
        model=model,
        args=training_arguments(spec, tmp_path, has_held_out=False),
        data_collator=PaddingCollator(pad_token_id=0),
        train_dataset=samples,
        processing_class=load_tokenizer(model_dir),
    )
    model.get_input_embeddings().weight.register_hook(lambda g: seen.__setitem__("g", seen.get("g", 0) + g))
    trainer.train()
    return seen["g"]


def test_accumulation_weighs_tokens_not_batches(tmp_path, model, dataset):
    samples = batch_of(model, [1, 2, 5, 9, 3, 7, 4, 6])
    together = gradient(model, dataset, tmp_path, samples, 8, 1)
    apart = gradient(model, dataset, tmp_path, samples, 1, 8)
    assert torch.allclose(together, apart, atol=1e-5)


def test_the_loss_is_the_mean_over_supervised_tokens(model):
    loaded = load_model(model)
    batch = PaddingCollator(pad_token_id=0)(batch_of(model, [2, 6]))
    loss, weight = summed_loss(loaded, dict(batch), weighted=False)
    whole = loaded(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=batch["labels"]
    )
    assert math.isclose((loss / weight).item(), whole.loss.item(), rel_tol=1e-5)


def test_lora_plus_gives_matrix_b_its_own_rate(model, dataset):
    spec = quick_spec(model, dataset, loraplus_lr_ratio=16.0, learning_rate=1e-4)
    trainable = make_trainable(load_model(model), spec)
    optimizer = make_optimizer(trainable, spec)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in trainable.named_parameters():
        if parameter.requires_grad:
            assert rates[id(parameter)] == pytest.approx(1.6e-3 if "lora_B" in name else 1e-4)


def test_an_unknown_target_module_lists_the_valid_ones(model, dataset):
    with pytest.raises(ModelUnusable, match="q_proj"):
        make_trainable(load_model(model), quick_spec(model, dataset, lora_target="q_prj"))


def test_all_linear_layers_but_the_head_are_adapted(model, dataset):
    adapted = make_trainable(load_model(model), quick_spec(model, dataset)).targeted_module_names
    assert {name.rpartition(".")[2] for name in adapted} == {
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    }


def test_rows_that_are_too_long_are_listed_in_the_result(tmp_path, model):
    data = write_folder(
        tmp_path / "data",
        train=[*numbered(4), sample("长" * 300, "体育", "看“长”，归体育。")],
        eval=numbered(2),
    )
    folder = run(tmp_path / "run", model, data, cutoff_len=200, max_steps=1)
    assert train(folder)["left_out"] == (4,)


def test_direct_share_adds_rows_with_an_empty_chain(model, dataset):
    from backend.data.datasets import encode_datasets

    renderer = Renderer(load_tokenizer(model))
    training, _ = encode_datasets(quick_spec(model, dataset, direct_share=0.5), renderer)
    texts = [renderer.tokenizer.decode(sample["input_ids"]) for sample in training.samples]
    assert len(texts) == 18 and sum("<think>\n\n</think>" in text for text in texts) == 6
