"""The fast forms used on a GPU compute what the plain ones compute; checked here on the CPU."""

import pytest
import torch

from backend.data.batching import PackingCollator
from backend.data.encoding import PaddingCollator
from backend.kernels.chunked_loss import ChunkedLoss
from backend.kernels.fused_modules import fuse
from backend.kernels.varlen_attention import NAME, attention
from backend.modeling.loading import load_for_training
from backend.modeling.methods import make_trainable
from backend.training.losses import summed_loss
from studio.training.memory import chunk_rows
from tests.support.tiny_models import quick_spec, save_tiny_model


def samples(lengths=(9, 17, 5)):
    generator = torch.Generator().manual_seed(3)
    made = []
    for length in lengths:
        ids = torch.randint(10, 200, (length,), generator=generator)
        labels = ids.clone()
        labels[: length // 2] = -100
        made.append({"input_ids": ids, "labels": labels, "weights": torch.linspace(1, 3, length)})
    return made


def trainable(folder, architecture, **changes):
    """The same trainable model each time, its adapter not at zero."""
    torch.manual_seed(0)
    path = folder / architecture
    spec = quick_spec(save_tiny_model(path, architecture=architecture), path, **changes)
    model = make_trainable(load_for_training(spec), spec)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    return model.train()


def loss_and_gradients(model, batch, head=None):
    loss, weight = summed_loss(model, dict(batch), weighted=True, head=head)
    (loss / weight).backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return (loss / weight).item(), gradients


def assert_same(one, other):
    assert one[0] == pytest.approx(other[0], abs=1e-5)
    assert one[1].keys() == other[1].keys() and one[1]
    for name, gradient in one[1].items():
        assert torch.allclose(gradient, other[1][name], atol=1e-5), name


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3", "llama", "gemma"])
def test_fused_pieces_give_the_same_loss_and_gradients(tmp_path, architecture):
    model, batch = trainable(tmp_path, architecture), PaddingCollator(pad_token_id=0)(samples())
    plain = loss_and_gradients(model, batch)
    kinds = fuse(model)
    assert kinds["LoRA products"] == 14
    assert bool(kinds["norms"]) == (architecture != "gemma")  # Gemma's norm is another one
    assert_same(loss_and_gradients(model, batch), plain)


@pytest.mark.parametrize("changes", [{"lora_dropout": 0.1}, {"use_dora": True}])
def test_what_has_no_fused_form_stays_as_it_is(tmp_path, changes):
    assert fuse(trainable(tmp_path, "qwen2", **changes))["LoRA products"] == 0


@pytest.mark.parametrize("architecture", ["qwen2", "llama", "gemma"])
@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("collator", [PaddingCollator(pad_token_id=0), PackingCollator()])
def test_the_head_by_chunks_gives_the_same_loss_and_gradients(
    tmp_path, monkeypatch, architecture, method, collator
):
    monkeypatch.setattr("studio.training.memory.CHUNK_ELEMENTS", 2**11)
    model, batch = trainable(tmp_path, architecture, finetuning_type=method), collator(samples((90, 80, 70)))
    head = ChunkedLoss(model)
    assert head.is_chunked and chunk_rows(model.config.vocab_size) == 64
    assert_same(loss_and_gradients(model, batch, head), loss_and_gradients(model, batch))


def test_a_head_with_something_behind_it_is_left_alone(tmp_path):
    model = trainable(tmp_path, "qwen2")
    inner = model.get_base_model()
    forward = inner.forward

    def capped(*args, **kwargs):
        output = forward(*args, **kwargs)
        output.logits = output.logits.tanh()
        return output

    inner.forward = capped
    assert not ChunkedLoss(model).is_chunked


def test_without_sample_boundaries_the_attention_is_transformers_own(tmp_path):
    model = trainable(tmp_path, "qwen2")
    batch = PaddingCollator(pad_token_id=0)(samples())
    plain = loss_and_gradients(model, batch)
    model.get_base_model().set_attn_implementation(NAME)
    assert_same(loss_and_gradients(model, batch), plain)
    assert callable(attention)


def test_a_fused_product_follows_the_adapter_that_is_active(tmp_path):
    """As TRL switches them: the trained adapter, its frozen copy, none."""
    folder = save_tiny_model(tmp_path)
    spec = quick_spec(folder, folder)
    model = make_trainable(load_for_training(spec), spec)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    model.add_adapter("ref", model.peft_config["default"])
    ids = torch.arange(5, 25)[None]

    def answers():
        model.set_adapter("default")
        trained = model(ids).logits
        with model.disable_adapter():
            without = model(ids).logits
        model.set_adapter("ref")
        return [each.detach() for each in (trained, model(ids).logits, without)]

    plain = answers()
    assert fuse(model)["LoRA products"] > 0
    for ours, theirs in zip(answers(), plain, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)
    assert torch.allclose(plain[1], plain[2], atol=1e-4) and not torch.allclose(plain[0], plain[1], atol=1e-2)
