"""Influence: per-sample gradients are exact, the closed forms are what they stand for, the worker runs."""

import json

import numpy as np
import pytest
import torch

from backend.data.encoding import PaddingCollator, encode_conversation
from backend.data.label_samples import margin_samples, taught_samples
from backend.data.templates import Renderer
from backend.influence import fit_sketch, influence
from backend.modeling.loading import load_with_adapter
from backend.modeling.tokenizers import load_tokenizer
from backend.train import train
from backend.training.influence_functions import (
    DATAINF_DAMPING,
    datainf,
    label_suspicion,
    leave_one_out_support,
)
from backend.training.losses import summed_loss
from backend.training.sample_gradients import Block, SampleGradients, lora_layers
from backend.worker import Cancelled, RunFolder
from studio.contract import InfluenceFile, InfluenceSpec, Prediction
from studio.errors import InputError
from studio.samples.scheme import load_scheme
from tests.support.samples import numbered, write_folder
from tests.support.tiny_models import quick_spec, write_run

SCHEME = load_scheme()
TITLES = ("国足三比零获胜", "央行降息", "新药进入三期临床试验阶段")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data"), train=numbered(9), eval=numbered(3, start=20))


@pytest.fixture(scope="module")
def spec(model, dataset):
    return quick_spec(model, dataset, direct_share=1)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, spec):
    folder = write_run(tmp_path_factory.mktemp("trained") / "run", spec)
    train(RunFolder(folder))
    return sorted((folder / "checkpoints").glob("step_*"))[-1]


def answered(row, predicted, answer="direct"):
    return Prediction(
        row=row,
        title=TITLES[row],
        label="体育",
        label_chain="",
        answer=answer,
        predicted=predicted,
        chain="说的是比赛。" if answer == "chain" else None,
        text="",
    )


def samples(spec):
    renderer = Renderer(load_tokenizer(spec.model_name_or_path), spec.template)
    return [
        encode_conversation(
            renderer,
            [
                {"role": "user", "content": f"新闻分类：{title}"},
                {"role": "assistant", "content": f"<think>\n{chain}\n</think>\n\n体育"},
            ],
        )
        for title, chain in zip(TITLES, ("一", "说的是比赛的结果", ""), strict=True)
    ]


def test_gradients_of_a_padded_batch_are_those_of_each_sample_alone(spec, adapter):
    found = samples(spec)
    model = load_with_adapter(spec.model_name_or_path, adapter)
    gradients = SampleGradients(model, length=2**22)
    together = gradients(PaddingCollator(0)(found))
    weights = [layer.weight for layer in lora_layers(model)]
    for sample, gradient in zip(found, together, strict=True):
        loss, _ = summed_loss(model, PaddingCollator(0)([sample]), weighted=True)
        alone = torch.cat([each.flatten() for each in torch.autograd.grad(loss, weights)])
        torch.testing.assert_close(gradient, alone, atol=1e-4, rtol=1e-3)
    assert together.shape[1] == sum(weight.numel() for weight in weights)


def test_a_sketch_keeps_inner_products_and_is_the_same_for_another_adapter(spec, adapter):
    batch = PaddingCollator(0)(samples(spec))
    model = load_with_adapter(spec.model_name_or_path, adapter)
    exact = SampleGradients(model, length=2**22)(batch)
    layers = len(lora_layers(model))
    short = SampleGradients(model, length=200 * layers)
    sketched = short(batch)
    assert short.length < exact.shape[1] and all(block.end - block.start <= 200 for block in short.blocks)
    torch.testing.assert_close(
        sketched @ sketched.T, exact @ exact.T, rtol=0.25, atol=0.1 * float(exact.norm()) ** 2
    )
    again = SampleGradients(load_with_adapter(spec.model_name_or_path, adapter), length=200 * layers)(batch)
    torch.testing.assert_close(sketched, again)


def test_datainf_is_the_mean_of_the_inverses_of_each_matrix():
    torch.manual_seed(0)
    rows, targets = torch.randn(7, 9).double(), torch.randn(2, 9).double()
    blocks = [Block(0, 4, 4), Block(4, 9, 5)]
    expected = torch.zeros(2, 7).double()
    for block in blocks:
        g, v = rows[:, block.start : block.end], targets[:, block.start : block.end]
        damping = DATAINF_DAMPING * (g**2).sum(1).mean() / block.size
        eye = torch.eye(g.shape[1]).double()
        inverse = torch.stack([torch.linalg.inv(torch.outer(one, one) + damping * eye) for one in g]).mean(0)
        expected -= v @ inverse @ g.T
    torch.testing.assert_close(datainf(rows, targets, blocks).double(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(12, 40), (40, 12)])
def test_support_is_that_of_a_ridge_regression_without_the_row(shape):
    torch.manual_seed(1)
    gradients = torch.randn(*shape)
    unit = torch.nn.functional.normalize(gradients.double(), dim=1)
    found = leave_one_out_support(gradients, damping=0.7)
    for row in range(len(unit)):
        others = torch.cat([unit[:row], unit[row + 1 :]])
        eye = torch.eye(shape[1]).double()
        step = torch.linalg.solve(others.T @ others + 0.7 * eye, others.sum(0))
        assert float(found[row]) == pytest.approx(float(unit[row] @ step), abs=1e-5)


def test_a_row_that_the_others_contradict_is_the_most_suspicious():
    torch.manual_seed(2)
    direction = torch.randn(20)
    gradients = torch.stack([direction + 0.3 * torch.randn(20) for _ in range(10)])
    gradients[4] = -gradients[4]
    support = leave_one_out_support(gradients)
    assert int(support.argmin()) == 4 and float(support[4]) < 0 < float(support.sort()[0][1])
    suspicion = label_suspicion([-support], [torch.tensor([0.1] * 4 + [2.0] + [0.1] * 5)])
    assert int(suspicion.argmax()) == 4 and float(suspicion[4]) == 1.0
    assert float(suspicion.min()) >= 0


@torch.no_grad()
def loss_of(model, found):
    return float(summed_loss(model, PaddingCollator(0)(found), weighted=True)[0])


def test_the_margin_is_that_of_the_two_categories(spec, adapter):
    renderer = Renderer(load_tokenizer(spec.model_name_or_path), spec.template)
    model = load_with_adapter(spec.model_name_or_path, adapter)
    for way in ("direct", "chain"):
        wrong, right = margin_samples(renderer, answered(0, "经济", way), SCHEME.prompt)[::-1]
        margin = loss_of(model, [wrong, right])
        each = [loss_of(model, [{**one, "weights": one["weights"].abs()}]) for one in (wrong, right)]
        assert margin == pytest.approx(each[1] - each[0], abs=1e-4)
    assert len(margin_samples(renderer, answered(0, None), SCHEME.prompt)) == 1


def test_every_sample_knows_its_row_its_way_and_its_label(spec):
    renderer = Renderer(load_tokenizer(spec.model_name_or_path), spec.template)
    taught = taught_samples(spec, renderer)
    assert taught.rows == tuple(range(9)) and len(taught.samples) == 18
    by_place = {}
    for each in taught.samples:
        by_place.setdefault(each.place, set()).add(each.way)
        label, chain = each.weighted("label"), each.weighted("chain")
        learned = label["labels"][label["weights"] > 0]
        text = renderer.tokenizer.decode(learned)
        assert text.strip().removesuffix(renderer.eos) in SCHEME.names
        assert not ((label["weights"] > 0) & (chain["weights"] > 0)).any()
    assert set(map(frozenset, by_place.values())) == {frozenset({"chain", "direct"})}


def write(folder, spec, adapter, **changes):
    given = InfluenceSpec(train=spec, adapter_name_or_path=adapter, run="some", sketch_length=2048, **changes)
    place = write_run(folder / "job", given)
    targets = [answered(0, "经济"), answered(1, None), answered(2, "社会", "chain")]
    (place / "targets.jsonl").write_text("".join(f"{each.model_dump_json()}\n" for each in targets))
    return RunFolder(place)


@pytest.mark.parametrize("passes", [0, 1])
def test_the_worker_writes_influence_and_suspicion(tmp_path, spec, adapter, passes):
    folder = write(tmp_path, spec, adapter, first_pass_epochs=passes)
    influence(folder)
    found = InfluenceFile.model_validate_json((folder.path / "influence.json").read_bytes())
    assert found.rows == tuple(range(9)) and [each.row for each in found.targets] == [0, 1, 2]
    assert (found.first_pass_steps > 0) == bool(passes)
    arrays = np.load(folder.path / "influence.npz", allow_pickle=False)
    assert arrays["influence"].shape == (3, 9) and np.isfinite(arrays["influence"]).all()
    assert np.abs(arrays["influence"]).max() > 0
    for name in ("suspicion", "support", "loss"):
        assert arrays[name].shape == (9,) and np.isfinite(arrays[name]).all()
    assert [path.name for path in folder.path.glob("first_pass_*")] == []
    phases = [json.loads(line)["phase"] for line in (folder.path / "metrics.jsonl").read_text().splitlines()]
    assert ("training" in phases) == bool(passes) and "evaluating" in phases


def test_a_cancel_ends_it_and_leaves_no_adapter_behind(tmp_path, spec, adapter):
    folder = write(tmp_path, spec, adapter)
    (folder.path / "cancel").touch()
    with pytest.raises(Cancelled):
        influence(folder)
    assert not (folder.path / "influence.json").exists()
    assert [path.name for path in folder.path.glob("first_pass_*")] == []


def test_pre_training_has_no_labels_to_judge(tmp_path, spec, adapter):
    with pytest.raises(InputError, match="监督微调"):
        influence(write(tmp_path, spec.model_copy(update={"stage": "pt"}), adapter))


def test_a_sketch_that_does_not_fit_is_shortened(spec, adapter, monkeypatch):
    given = InfluenceSpec(train=spec, adapter_name_or_path=adapter, run="some")
    monkeypatch.setattr("backend.influence.free_memory_bytes", lambda: 2**30)
    assert fit_sketch(given, 100).sketch_length == given.sketch_length
    assert 100_000 * fit_sketch(given, 100_000).sketch_length * 4 <= 2**30
