"""What is trained is what is served: the generation prompt begins the training text."""

import pytest
from jinja2 import TemplateError
from models import byte_tokenizer

from backend.data.encoding import IGNORED, encode_conversation, learnable_parts, tokenize
from backend.data.templates import TEMPLATES, THOUGHT, Renderer
from studio.errors import InputError, ModelUnusable
from studio.samples.canonical import write_answer

QUESTION = {"role": "user", "content": "新闻分类：主队绝杀"}
ANSWER = {"role": "assistant", "content": write_answer("看“绝杀”，归体育。", "体育")}
SYSTEM = {"role": "system", "content": "你是新闻编辑。\n只答类别。"}
R1_OWN = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}"
    "{% elif m.role == 'user' %}<｜User｜>{{ m.content }}"
    "{% else %}<｜Assistant｜>{{ m.content.split('</think>')[-1] }}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<｜Assistant｜><think>\n{% endif %}"
)
"""DeepSeek-R1's own chat template in short: it cuts the chain away and opens the thought."""
QWEN3_OWN = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{{ m.content if m.role != 'assistant' or loop.last else m.content.split('</think>')[-1].lstrip() }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Qwen3's in short: the chains of earlier turns are cut away. Both published texts: tests_conformance."""
OWN = {"R1's own": ("deepseek", R1_OWN), "Qwen3's own": ("chatml", QWEN3_OWN)}


def renderer(name):
    if name in OWN:
        family, text = OWN[name]
        tokenizer = byte_tokenizer(family)
        tokenizer.chat_template = text
        return Renderer(tokenizer, "tokenizer")
    family = "deepseek" if name.startswith("deepseek") else "plain" if name == "default" else "chatml"
    return Renderer(byte_tokenizer(family), name)


every_template = pytest.mark.parametrize(
    "bound", [renderer(name) for name in (*TEMPLATES, *OWN)], ids=[*TEMPLATES, *OWN]
)


def trained_text(bound, messages):
    sample = encode_conversation(bound, messages)
    learned = [t for t, label in zip(sample["input_ids"], sample["labels"], strict=True) if label != IGNORED]
    return bound.tokenizer.decode(sample["input_ids"]), bound.tokenizer.decode(learned)


def require_prompt_then_answer(bound, messages):
    """The generation prompt for the last answer begins the text; chain, category and end token are learned."""
    prompt = bound.prompt(messages[:-1])
    text, learned = trained_text(bound, messages)
    assert text.startswith(prompt)
    last = text.removeprefix(prompt)
    assert learned.endswith(last)
    assert "看“绝杀”，归体育。\n</think>\n\n体育" in last
    assert last.rstrip("\n").endswith(bound.end_tokens[0])


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
