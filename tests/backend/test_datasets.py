"""Rows held out of the training file: how many, which, and that nothing of them is learned."""

from collections import Counter

import pytest

from backend.data.datasets import encode_datasets, hold_out
from backend.data.templates import Renderer
from studio.errors import InputError
from tests.support.samples import sample, write_folder
from tests.support.tiny_models import byte_tokenizer, quick_spec

CATEGORIES = ["体育", "体育", "体育", "娱乐"]


@pytest.fixture(scope="module")
def renderer():
    return Renderer(byte_tokenizer("deepseek"))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    rows = [sample(f"第{i}条", CATEGORIES[i % 4], f"看“第{i}条”。") for i in range(40)]
    return write_folder(tmp_path_factory.mktemp("data"), train=rows)


def split(renderer, dataset, **changes):
    spec = quick_spec("model", dataset, eval_dataset=None, **changes)
    training, held_out = encode_datasets(spec, renderer)
    decode = renderer.tokenizer.decode
    return training, held_out, [decode(s["input_ids"]) for s in training.samples]


@pytest.mark.parametrize(("size", "expected"), [(0.1, 4), (8, 8), (0.001, 1)])
def test_a_share_or_a_number_of_rows_is_held_out(renderer, dataset, size, expected):
    training, held_out, _ = split(renderer, dataset, val_size=size)
    assert (len(training.samples), len(held_out.samples)) == (40 - expected, expected)


def test_each_category_gives_its_share(renderer, dataset):
    _, held_out, _ = split(renderer, dataset, val_size=8)
    assert Counter(CATEGORIES[row % 4] for row in held_out.rows) == {"体育": 6, "娱乐": 2}


def test_nothing_that_is_held_out_is_learned_not_even_without_its_chain(renderer, dataset):
    training, held_out, texts = split(renderer, dataset, val_size=10, direct_share=1.0)
    assert len(texts) == 60 and sorted({*training.rows, *held_out.rows}) == list(range(40))
    assert not [row for row in held_out.rows if any(f"第{row}条<" in text for text in texts)]


def test_the_same_seed_holds_out_the_same_rows_and_a_new_row_moves_no_other():
    texts = [f"标题{i}" for i in range(50)]
    first = hold_out(texts, [None] * 50, size=10, seed=1)
    assert (
        first
        == hold_out(texts, [None] * 50, size=10, seed=1)
        != hold_out(texts, [None] * 50, size=10, seed=2)
    )
    grown = hold_out([*texts, "新"], [None] * 51, size=10, seed=1)
    assert len({*first} - {*grown}) <= 1


def test_holding_out_everything_is_refused(renderer, dataset):
    with pytest.raises(InputError, match="val_size 40"):
        split(renderer, dataset, val_size=40)


def test_plain_texts_are_held_out_by_text(renderer, tmp_path):
    data = write_folder(tmp_path, train=[{"text": f"第{i}段文字"} for i in range(20)])
    training, held_out, texts = split(renderer, data, stage="pt", val_size=0.25, cutoff_len=1024)
    held = [renderer.tokenizer.decode(s["input_ids"]) for s in held_out.samples]
    assert len(held_out.rows) == 5 and training.samples
    for row in range(20):
        assert any(f"第{row}段" in text for text in (held if row in held_out.rows else texts))
