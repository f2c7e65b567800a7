"""What is trained is what is served: the generation prompt begins the training text."""

import pytest
from jinja2 import TemplateError
from models import byte_tokenizer

from backend.encoding import IGNORED, encode_conversation, tokenize
from backend.templates import TEMPLATES, THOUGHT, Renderer
from studio.errors import ModelUnusable
from studio.sample import write_answer

QUESTION = {"role": "user", "content": "新闻分类：主队绝杀"}
ANSWER = {"role": "assistant", "content": write_answer("看“绝杀”，归体育。", "体育")}
R1_OWN = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}<｜User｜>{{ m.content }}"
    "{% else %}<｜Assistant｜>{{ m.content.split('</think>')[-1] }}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<｜Assistant｜><think>\n{% endif %}"
)
"""DeepSeek-R1's own chat template in short: it cuts the chain away and opens the thought."""


def renderer(name):
    family = "deepseek" if name.startswith("deepseek") else "plain" if name == "default" else "chatml"
    return Renderer(byte_tokenizer(family), name)


def own_renderer():
    tokenizer = byte_tokenizer("deepseek")
    tokenizer.chat_template = R1_OWN
    return Renderer(tokenizer, "tokenizer")


def trained_text(bound, messages):
    sample = encode_conversation(bound, messages)
    learned = [t for t, label in zip(sample["input_ids"], sample["labels"], strict=True) if label != IGNORED]
    return bound.tokenizer.decode(sample["input_ids"]), bound.tokenizer.decode(learned)


@pytest.mark.parametrize("bound", [*map(renderer, TEMPLATES), own_renderer()], ids=[*TEMPLATES, "tokenizer"])
def test_the_prompt_begins_the_training_text_and_the_chain_is_learned(bound):
    prompt = bound.prompt([QUESTION])
    text, learned = trained_text(bound, [QUESTION, ANSWER])
    assert text.startswith(prompt)
    assert prompt + learned == text
    assert "看“绝杀”，归体育。\n</think>\n\n体育" in learned
    assert learned.rstrip("\n").endswith(bound.end_tokens[0])


@pytest.mark.parametrize("bound", [*map(renderer, TEMPLATES), own_renderer()], ids=[*TEMPLATES, "tokenizer"])
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
