"""Tokens, masks and batches: what is learned, what is padding, what is left out."""

import pytest
import torch

from backend.data.encoding import (
    IGNORED,
    PaddingCollator,
    encode_all,
    encode_conversation,
    pack_texts,
    without_chain,
)
from backend.data.templates import Renderer
from studio.errors import InputError
from studio.samples.canonical import read_answer, write_answer
from tests.support.tiny_models import byte_tokenizer


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


SENTENCES = "标题里有“绝杀”。这是赛场上的词。所以归体育。"


def shortened(renderer, limit, messages=None):
    rows = [conversation(), messages or conversation(chain=SENTENCES)]
    encoded = encode_all(renderer, rows, cutoff_len=limit, overlong="cut_chain")
    return encoded, [renderer.tokenizer.decode(sample["input_ids"]) for sample in encoded.samples]


def test_a_chain_is_cut_by_whole_sentences_and_keeps_its_conclusion(renderer):
    full = len(encode_conversation(renderer, conversation(chain=SENTENCES))["input_ids"])
    encoded, texts = shortened(renderer, full - 1)
    assert (encoded.shortened, encoded.left_out) == ([1], [])
    answer = texts[1].partition("<｜Assistant｜>")[2].removesuffix(renderer.eos)
    assert answer == write_answer("标题里有“绝杀”。所以归体育。", "体育")


@pytest.mark.parametrize("spare", [0, 1, 3, 7, 30, 61])
def test_whatever_fits_is_canonical_and_ends_with_answer_and_end_token(renderer, spare):
    shortest = len(encode_conversation(renderer, conversation(chain=""))["input_ids"])
    encoded, texts = shortened(renderer, shortest + spare)
    assert len(encoded.samples[1]["input_ids"]) <= shortest + spare
    answer = texts[1].partition("<｜Assistant｜>")[2]
    assert answer.endswith(f"</think>\n\n体育{renderer.eos}")
    assert read_answer(answer.removesuffix(renderer.eos)).form == "canonical"
    assert "\ufffd" not in texts[1]


def test_a_row_without_enough_chain_to_cut_is_left_out(renderer):
    encoded, texts = shortened(renderer, 60, conversation(title="长" * 50))
    assert (encoded.shortened, encoded.left_out, len(texts)) == ([], [1], 1)


def test_the_longest_chain_of_a_conversation_is_cut_first(renderer):
    messages = [*conversation(chain="短。"), *conversation(chain=SENTENCES)]
    full = len(encode_conversation(renderer, messages)["input_ids"])
    _, texts = shortened(renderer, full - 1, messages)
    assert "短。" in texts[1] and "赛场" not in texts[1]


def test_error_stops_with_the_rows_and_the_remedy(renderer):
    rows = [conversation(), conversation(title="长" * 200)]
    with pytest.raises(InputError, match=r"第 2 行.*cutoff_len"):
        encode_all(renderer, rows, cutoff_len=100, overlong="error")


def test_rows_are_named_by_their_place_in_the_file(renderer):
    rows = [conversation(), conversation(title="长" * 200)]
    assert encode_all(renderer, rows, cutoff_len=100, rows=[3, 8]).left_out == [8]


def test_the_whole_text_is_learned_when_asked_for(renderer):
    sample = encode_conversation(renderer, conversation(), train_on_prompt=True)
    assert torch.equal(sample["labels"], sample["input_ids"])


def test_without_chain_keeps_the_category(renderer):
    assert without_chain(conversation())[1]["content"] == write_answer("", "体育")


def test_padding_is_never_learned_and_never_seen(renderer):
    rows = [encode_conversation(renderer, conversation(title="长" * n)) for n in (1, 9)]
    batch = PaddingCollator(pad_token_id=0)(rows)
    padding = batch["attention_mask"] == 0
    assert padding.sum() == len(rows[1]["input_ids"]) - len(rows[0]["input_ids"])
    assert (batch["labels"][padding] == IGNORED).all() and (batch["weights"][padding] == 0).all()


def test_a_batch_without_padding_needs_no_mask(renderer):
    rows = [encode_conversation(renderer, conversation())] * 2
    assert "attention_mask" not in PaddingCollator(pad_token_id=0)(rows)


def test_packed_texts_are_all_there_in_order_and_end_with_the_end_token(renderer):
    texts = ["甲乙", "丙", "丁戊己"]
    samples = list(pack_texts(renderer, texts, cutoff_len=4, batch=2))
    lengths = [len(sample["input_ids"]) for sample in samples]
    assert set(lengths[:-1]) == {4} and 2 <= lengths[-1] <= 4
    joined = torch.cat([sample["input_ids"] for sample in samples])
    whole = renderer.tokenizer(renderer.eos.join(texts) + renderer.eos, add_special_tokens=False)["input_ids"]
    # At most one token is left over: alone it would predict nothing.
    assert joined.tolist() == whole[: len(joined)] and len(whole) - len(joined) < 2
