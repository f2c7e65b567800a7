"""Samples laid end to end are learned exactly as if each stood alone."""

import pytest
import torch

from backend.data.batching import BatchLayout, BatchSampler, PackingCollator, SampleDataset
from backend.data.encoding import PaddingCollator
from backend.modeling.loading import load_model
from backend.training.losses import summed_loss
from backend.training.packing_check import collator_for, separates_samples
from tests.support.tiny_models import quick_spec, samples_of, save_tiny_model


def gradients(model, batches):
    model.zero_grad()
    loss = torch.zeros(())
    for batch in batches:
        loss = loss + summed_loss(model, dict(batch), weighted=True)[0] / 100
    loss.backward()
    return loss.detach(), {name: p.grad.clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3", "llama", "gemma"])
def test_loss_and_gradients_are_those_of_separate_samples(tmp_path, architecture):
    model = load_model(save_tiny_model(tmp_path, architecture=architecture))
    samples = samples_of([17, 5, 29, 11])
    together = PackingCollator()(samples)
    assert together["input_ids"].shape == (1, 62) and "attention_mask" not in together
    loss, grads = gradients(model, [together])
    alone_loss, alone = gradients(model, [PackingCollator()([sample]) for sample in samples])
    assert loss.item() == pytest.approx(alone_loss.item(), abs=1e-5)
    for name, grad in alone.items():
        assert torch.allclose(grads[name], grad, atol=1e-5), name
    padded_loss, padded = gradients(model, [PaddingCollator(pad_token_id=0)(samples)])
    assert loss.item() == pytest.approx(padded_loss.item(), abs=1e-5)
    assert all(torch.allclose(grads[name], grad, atol=1e-5) for name, grad in padded.items())


def test_a_mask_of_ones_would_mix_the_samples(tmp_path):
    """What the flattened batch must not carry: the test above would see it."""
    model = load_model(save_tiny_model(tmp_path))
    samples = samples_of([17, 5, 29, 11])
    batch = PackingCollator()(samples)
    clean, _ = gradients(model, [batch])
    mixed, _ = gradients(model, [{**batch, "attention_mask": torch.ones_like(batch["input_ids"])}])
    assert abs(clean - mixed) > 1e-3


class NoPositions(torch.nn.Module):
    """A model that reads one row as one text, whatever its positions say."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, position_ids=None, **rest):
        return self.model(input_ids=input_ids, **rest)


def test_a_model_that_would_mix_samples_is_found_out_and_padded(tmp_path, caplog):
    model = load_model(save_tiny_model(tmp_path))
    assert separates_samples(model)
    assert not separates_samples(NoPositions(model))
    spec = quick_spec(tmp_path, tmp_path, padding_free=True)
    assert isinstance(collator_for(model, spec, 0), PackingCollator)
    assert isinstance(collator_for(NoPositions(model), spec, 0), PaddingCollator)
    assert "首尾相接" in caplog.text
    noisy = spec.model_copy(update={"neftune_noise_alpha": 5.0})
    assert isinstance(collator_for(model, noisy, 0), PaddingCollator)
    assert isinstance(collator_for(model, spec.model_copy(update={"padding_free": None}), 0), PaddingCollator)


def test_kernels_of_variable_length_are_told_where_samples_begin():
    batch = PackingCollator(varlen=True)(samples_of([4, 6]))
    assert batch["cu_seq_lens_q"].tolist() == [0, 4, 10] and batch["cu_seq_lens_q"].dtype == torch.int32
    assert batch["max_length_k"] == 6


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("count", [1, 7, 16, 37])
def test_every_row_is_in_one_batch_of_one_process_and_the_steps_do_not_depend_on_their_number(count, padded):
    lengths = [(7 * row) % 50 + 1 for row in range(count)]
    steps = {}
    for processes, size, accumulation in ((1, 8, 1), (2, 4, 1), (2, 2, 2), (4, 1, 2)):
        shares = [
            BatchSampler(lengths, BatchLayout(batch_size=size, accumulation=accumulation, processes=processes, rank=rank), seed=3, padded=padded)
            for rank in range(processes)
        ]  # fmt: skip
        every = [list(share) for share in shares]
        assert {len(batches) for batches in every} == {len(shares[0])}
        assert all(len(batch) <= size for batches in every for batch in batches)
        seen = [row for batches in every for batch in batches for row in batch if row >= 0]
        assert sorted(seen) == list(range(count))
        rounds = [sorted(r for b in zipped for r in b if r >= 0) for zipped in zip(*every, strict=True)]
        steps[processes, size] = [
            sorted(row for rows in rounds[start : start + accumulation] for row in rows)
            for start in range(0, len(rounds), accumulation)
        ]
    assert len({str(found) for found in steps.values()}) == 1


def test_the_order_changes_with_the_epoch_and_the_seed():
    def order(seed, epoch):
        batches = BatchSampler([9] * 40, BatchLayout(batch_size=4), seed=seed, padded=True)
        batches.epoch = epoch
        return list(batches)

    assert order(1, 0) == order(1, 0)
    assert len({str(order(*place)) for place in ((1, 0), (1, 1), (2, 0))}) == 3


def test_flattened_batches_of_a_step_have_like_numbers_of_tokens():
    lengths = [100, 100, 100, 100, 10, 10, 10, 10]
    batches = list(BatchSampler(lengths, BatchLayout(batch_size=4, accumulation=2), seed=1, padded=False))
    assert [sum(lengths[row] for row in batch) for batch in batches] == [220, 220]


def test_a_stand_in_weighs_nothing(tmp_path):
    model = load_model(save_tiny_model(tmp_path))
    for collate in (PackingCollator(), PaddingCollator(pad_token_id=0)):
        loss, weight = summed_loss(model, collate([SampleDataset(samples_of([9]))[~0]]), weighted=True)
        assert (loss.item(), weight.item()) == (0, 0)
