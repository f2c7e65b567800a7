"""The held-out loss and its standard error, against rows computed one by one."""

import math

import pytest
import torch

from backend.data.batching import PackingCollator, SampleDataset
from backend.data.encoding import IGNORED, PaddingCollator, encode_all
from backend.data.rows import read_conversations
from backend.data.templates import Renderer
from backend.modeling.loading import load_model
from backend.modeling.tokenizers import load_tokenizer
from backend.train import train
from backend.training.heldout_loss import loss_and_error, row_sums
from backend.training.losses import row_losses
from backend.worker import RunFolder
from tests.support.samples import sample, write_folder
from tests.support.tiny_models import events_of, quick_spec, samples_of, save_tiny_model, write_run

LENGTHS = [17, 5, 29, 11, 8]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("model"))


@torch.no_grad()
def one_by_one(model, samples):
    """Summed loss and tokens of each sample, alone and through transformers' own loss."""
    found = []
    for each in samples:
        labels = each["labels"][None].clone()
        labels[:, 0] = IGNORED
        count = int((labels != IGNORED).sum())
        mean = model(input_ids=each["input_ids"][None], labels=labels).loss.item()
        found.append((mean * count, count))
    return found


def by_definition(rows):
    """The mean over tokens, and the error of a ratio of two sums over rows."""
    loss = sum(nll for nll, _ in rows) / sum(count for _, count in rows)
    residual = sum((nll - loss * count) ** 2 for nll, count in rows)
    return loss, math.sqrt(residual * len(rows) / (len(rows) - 1)) / sum(count for _, count in rows)


@pytest.mark.parametrize(
    "collate", [PaddingCollator(pad_token_id=0), PackingCollator()], ids=["padded", "flat"]
)
def test_each_row_has_its_own_sum_however_the_batch_is_laid_out(model_folder, collate):
    model, samples = load_model(model_folder), samples_of(LENGTHS)
    with torch.no_grad():
        nll, tokens = row_losses(model, collate(samples))
    expected = one_by_one(model, samples)
    assert tokens.tolist() == [count for _, count in expected]
    assert nll.tolist() == pytest.approx([total for total, _ in expected], abs=1e-3)
    apart = sum(row_sums(*row_losses(model, collate(samples[i : i + 2]))) for i in (0, 2, 4)).detach()
    assert loss_and_error(apart) == pytest.approx(by_definition(expected), abs=1e-5)


@torch.no_grad()
def test_stand_ins_count_for_nothing_and_one_row_has_no_error(model_folder):
    model, samples = load_model(model_folder), samples_of(LENGTHS[:2])
    collate = PaddingCollator(pad_token_id=0)
    with_one = [samples[0], SampleDataset(samples)[~1]]
    loss, error = loss_and_error(row_sums(*row_losses(model, collate(with_one))))
    total, count = one_by_one(model, samples)[0]
    assert error is None and loss == pytest.approx(total / count, abs=1e-5)


def test_rows_that_are_all_alike_leave_no_error():
    counts = torch.tensor([3, 5, 0, 9])
    assert loss_and_error(row_sums(2.5 * counts, counts)) == pytest.approx((2.5, 0.0), abs=1e-7)


def test_a_held_out_point_of_a_run_tells_its_error(tmp_path, model_folder):
    rows = [sample(f"第{i}条" * (1 + i % 3), "体育", f"看“第{i}条”。") for i in range(11)]
    data = write_folder(tmp_path / "data", train=rows[:4], eval=rows[4:])
    # A rate this small leaves the model as it is on disk.
    spec = quick_spec(model_folder, data, max_steps=1, per_device_train_batch_size=2, learning_rate=1e-12)
    train(RunFolder(write_run(tmp_path / "run", spec)))
    point = next(e for e in events_of(tmp_path / "run") if e.event == "held_out")
    renderer = Renderer(load_tokenizer(model_folder))
    samples = encode_all(renderer, read_conversations(data, "eval"), cutoff_len=spec.cutoff_len).samples
    expected = by_definition(one_by_one(load_model(model_folder), samples))
    assert (point.loss, point.loss_error) == pytest.approx(expected, abs=1e-5)
    assert point.loss_error > 0
