"""Every chat template with a tokenizer that has its special tokens."""

import pytest

from backend.data.encoding import IGNORED, encode_conversation
from backend.data.templates import TEMPLATES, Renderer
from studio.samples.canonical import write_answer
from tests.support.tiny_models import byte_tokenizer

R1_OWN = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}"
    "{% elif m.role == 'user' %}<｜User｜>{{ m.content }}"
    "{% else %}<｜Assistant｜>{{ m.content.split('</think>')[-1] }}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<｜Assistant｜><think>\n{% endif %}"
)
"""DeepSeek-R1's own chat template in short: it strips the chain and opens the think block."""


QWEN3_OWN = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{{ m.content if m.role != 'assistant' or loop.last else m.content.split('</think>')[-1].lstrip() }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Qwen3's in short: the chains of earlier turns are stripped. Both published texts: tests/conformance."""

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


QUESTION = {"role": "user", "content": "新闻分类：主队绝杀"}

ANSWER = {"role": "assistant", "content": write_answer("看“绝杀”，归体育。", "体育")}

SYSTEM = {"role": "system", "content": "你是新闻编辑。\n只答类别。"}


def trained_text(bound, messages):
    sample = encode_conversation(bound, messages)
    learned = [t for t, label in zip(sample["input_ids"], sample["labels"], strict=True) if label != IGNORED]
    return bound.tokenizer.decode(sample["input_ids"]), bound.tokenizer.decode(learned)


def require_prompt_then_answer(bound, messages):
    """Require that the generation prompt is a prefix of the text; chain, category, end token are learned."""
    prompt = bound.prompt(messages[:-1])
    text, learned = trained_text(bound, messages)
    assert text.startswith(prompt)
    last = text.removeprefix(prompt)
    assert learned.endswith(last)
    assert "看“绝杀”，归体育。\n</think>\n\n体育" in last
    assert last.rstrip("\n").endswith(bound.end_tokens[0])
