"""What is trained is what is served: the generation prompt begins the training text."""

import pytest
from jinja2 import TemplateError

from backend.data.encoding import encode_conversation, learnable_parts, tokenize
from backend.data.templates import TEMPLATES, THOUGHT, Renderer
from studio.errors import InputError, ModelUnusable
from tests.support.templates import (
    ANSWER,
    QUESTION,
    SYSTEM,
    every_template,
    renderer,
    require_prompt_then_answer,
    trained_text,
)
from tests.support.tiny_models import byte_tokenizer


@every_template
@pytest.mark.parametrize(
    "before",
    [[], [SYSTEM], [QUESTION, ANSWER], [SYSTEM, QUESTION, ANSWER]],
    ids=["", "system", "turns", "both"],
)
def test_the_prompt_begins_the_training_text_and_the_chain_is_learned(bound, before):
    require_prompt_then_answer(bound, [*before, QUESTION, ANSWER])


@every_template
def test_every_answer_of_a_conversation_is_learned_as_it_is_asked_for(bound):
    parts = learnable_parts(bound, [SYSTEM, QUESTION, ANSWER, QUESTION, ANSWER])
    for part in parts:
        require_prompt_then_answer(bound, part)
    learned = "".join(trained_text(bound, part)[1] for part in parts)
    assert learned.count("看“绝杀”") == 2


def test_a_template_that_forgets_chains_learns_each_answer_with_the_past_it_will_see():
    bound = renderer("Qwen3's own")
    first, second = learnable_parts(bound, [QUESTION, ANSWER, QUESTION, ANSWER])
    assert len(first) == 2
    text, learned = trained_text(bound, second)
    assert text.count("</think>") == 1 and learned == ANSWER["content"] + "<|im_end|>\n"


@pytest.mark.parametrize(
    "content",
    ["<think>看“绝杀”，归体育。</think>体育", ANSWER["content"], "看“绝杀”，归体育。</think>\n体育"],
)
def test_an_opened_thought_is_never_opened_twice(content):
    text, _ = trained_text(renderer("R1's own"), [QUESTION, {**ANSWER, "content": content}])
    assert text.endswith("<think>\n看“绝杀”，归体育。\n</think>\n\n体育<｜end▁of▁sentence｜>")


def test_an_answer_without_a_chain_closes_the_thought_that_the_prompt_opened():
    text, _ = trained_text(renderer("R1's own"), [QUESTION, {**ANSWER, "content": "体育"}])
    assert text.endswith("<think>\n\n</think>\n\n体育<｜end▁of▁sentence｜>")


def test_an_own_template_that_refuses_a_conversation_says_so():
    bound = renderer("R1's own")
    bound.tokenizer.chat_template = "{{ raise_exception('System role not supported') }}"
    with pytest.raises(InputError, match="System role not supported"):
        bound.prompt([SYSTEM, QUESTION])


@every_template
def test_generation_starts_with_tokens_that_were_trained(bound):
    prompt = bound.prompt([QUESTION])
    start = tokenize(bound, prompt) + tokenize(bound, bound.open_thought(prompt))
    assert encode_conversation(bound, [QUESTION, ANSWER])["input_ids"].tolist()[: len(start)] == start
    assert bound.tokenizer.decode(start).count(THOUGHT) == 1


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_saved_chat_template_renders_the_same_text(name):
    bound = renderer(name)
    bound.tokenizer.chat_template = bound.chat_template
    for messages in (
        [QUESTION],
        [QUESTION, ANSWER, QUESTION],
        [{"role": "system", "content": "系\n统"}, QUESTION],
    ):
        saved = bound.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert saved == bound.prompt(messages)


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_saved_chat_template_refuses_a_role_it_does_not_know(name):
    bound = renderer(name)
    bound.tokenizer.chat_template = bound.chat_template
    with pytest.raises(TemplateError, match="Unknown role human"):
        bound.tokenizer.apply_chat_template([{"role": "human", "content": "标题"}], tokenize=False)


def test_only_answers_are_learned_in_a_longer_conversation():
    bound = renderer("deepseekr1")
    _, learned = trained_text(bound, [QUESTION, ANSWER, QUESTION, ANSWER])
    assert learned == 2 * (ANSWER["content"] + bound.eos)


@pytest.mark.parametrize(
    ("family", "chat_template", "expected"),
    [
        ("deepseek", None, "deepseekr1"),
        ("chatml", None, "qwen"),
        ("chatml", "{{ enable_thinking }}", "qwen3"),
        ("plain", "{{ messages }}", "tokenizer"),
        ("plain", None, "default"),
    ],
)
def test_auto_goes_by_the_tokens_that_the_model_knows(family, chat_template, expected):
    tokenizer = byte_tokenizer(family)
    tokenizer.chat_template = chat_template
    assert Renderer(tokenizer).name == expected


def test_asking_for_a_template_that_the_model_has_not_is_an_error():
    with pytest.raises(ModelUnusable, match="default"):
        Renderer(byte_tokenizer("plain"), "tokenizer")
