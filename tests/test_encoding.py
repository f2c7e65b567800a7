"""Tokens, masks and batches: what is learned, what is padding, what is left out."""

import pytest
import torch
from models import byte_tokenizer

from backend.encoding import IGNORED, Collator, encode_all, encode_conversation, pack_texts, without_chain
from backend.templates import Renderer
from studio.sample import write_answer


@pytest.fixture(scope="module")
def renderer():
    return Renderer(byte_tokenizer("deepseek"))


def conversation(title="标题", chain="链", category="体育"):
    return [
        {"role": "user", "content": f"新闻分类：{title}"},
        {"role": "assistant", "content": write_answer(chain, category)},
    ]


def test_the_label_weight_reaches_the_category_and_nothing_else(renderer):
    sample = encode_conversation(
        renderer, conversation(chain="先看体育，再想娱乐，归体育。"), label_weight=5.0
    )
    heavy = sample["input_ids"][sample["weights"] == 5.0]
    assert renderer.tokenizer.decode(heavy) == "体育体育" + "\n\n体育" + renderer.eos


def test_a_row_that_is_too_long_is_named_and_not_cut(renderer):
    rows = [conversation(), conversation(title="长" * 200), conversation()]
    encoded = encode_all(renderer, rows, cutoff_len=100)
    assert encoded.left_out == [1]
    assert len(encoded.samples) == 2


def test_without_chain_keeps_the_category(renderer):
    assert without_chain(conversation())[1]["content"] == write_answer("", "体育")


def test_padding_is_never_learned_and_never_seen(renderer):
    rows = [encode_conversation(renderer, conversation(title="长" * n)) for n in (1, 9)]
    batch = Collator(pad_token_id=0)(rows)
    padding = batch["attention_mask"] == 0
    assert padding.sum() == len(rows[1]["input_ids"]) - len(rows[0]["input_ids"])
    assert (batch["labels"][padding] == IGNORED).all() and (batch["weights"][padding] == 0).all()


def test_a_batch_without_padding_needs_no_mask(renderer):
    rows = [encode_conversation(renderer, conversation())] * 2
    assert "attention_mask" not in Collator(pad_token_id=0)(rows)


def test_packed_texts_are_all_there_in_order_and_end_with_the_end_token(renderer):
    texts = ["甲乙", "丙", "丁戊己"]
    samples = list(pack_texts(renderer, texts, cutoff_len=4, batch=2))
    assert all(len(sample["input_ids"]) == 4 for sample in samples)
    joined = torch.cat([sample["input_ids"] for sample in samples])
    whole = renderer.tokenizer(renderer.eos.join(texts) + renderer.eos, add_special_tokens=False)["input_ids"]
    assert joined.tolist() == whole[: len(joined)] and len(whole) - len(joined) < 4
