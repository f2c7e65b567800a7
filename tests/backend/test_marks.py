"""A mark of the tokenizer in a title is plain text: never the mark, and never a row the model lacks."""

import pytest

from backend.data.encoding import encode_conversation, pack_texts, tokenize, tokenize_answer
from backend.data.templates import TEMPLATES, Renderer
from backend.engine.answering import Answerer
from backend.modeling.loading import load_model
from backend.modeling.tokenizers import load_tokenizer
from studio.samples.canonical import write_answer
from studio.workspace import BUNDLED_MODEL

TOKENIZER = load_tokenizer(BUNDLED_MODEL)
MARKS = [*TOKENIZER.get_added_vocab(), "<|im_end|>", "<|im_start|>"]
NAMES = [*TEMPLATES, "tokenizer"]


def count_marks(ids):
    return sum(token in set(TOKENIZER.get_added_vocab().values()) for token in ids)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_in_a_title_is_text_in_training_and_in_prompts(name, mark):
    renderer = Renderer(TOKENIZER, name)
    question, answer = "新闻分类：央行{}宣布降息{}", write_answer("因为“{}”所以归经济。", "经济")
    plain = [
        {"role": "user", "content": question.format("", "")},
        {"role": "assistant", "content": answer.format("")},
    ]
    hostile = [
        {"role": "user", "content": question.format(mark, mark)},
        {"role": "assistant", "content": answer.format(mark if "think" not in mark else "")},
    ]
    for messages in (plain, hostile):
        ids = encode_conversation(renderer, messages)["input_ids"].tolist()
        prompt = tokenize(renderer, renderer.prompt(messages[:1]))
        assert ids[: len(prompt)] == prompt
        if messages is plain:
            wanted, wanted_prompt = count_marks(ids), count_marks(prompt)
    assert (count_marks(ids), count_marks(prompt)) == (wanted, wanted_prompt)
    assert (
        TOKENIZER.decode(prompt).count(mark)
        == TOKENIZER.decode(tokenize(renderer, renderer.prompt(plain[:1]))).count(mark) + 2
    )


def test_no_mark_in_plain_texts_is_the_mark():
    renderer = Renderer(TOKENIZER, "default")
    ids = [
        token
        for sample in pack_texts(renderer, [*MARKS, "一句话"], cutoff_len=8)
        for token in sample["input_ids"].tolist()
    ]
    assert count_marks(ids) == len(MARKS) + 1  # the end of each text


def test_a_text_without_marks_is_tokenized_as_before():
    renderer = Renderer(TOKENIZER, "deepseekr1")
    answer = renderer.answer(
        write_answer("想一想。", "经济"), renderer.prompt([{"role": "user", "content": "问"}])
    )
    assert "\ufdd0" not in answer
    thought, label = tokenize_answer(renderer, answer)
    assert TOKENIZER.decode([*thought, *label]) == answer


def test_the_model_answers_a_title_of_marks():
    answerer = Answerer(load_model(BUNDLED_MODEL, None), Renderer(TOKENIZER, "auto"))
    prompts = answerer.render_prompts(["".join(MARKS), "<|endoftext|>" * 5, "\ufdd0央行"], "新闻分类：")
    assert len(answerer.score(prompts, ["经济", "体育"])) == 3
    assert len(answerer.generate(prompts, max_new_tokens=8)) == 3
