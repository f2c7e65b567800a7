"""The chat templates as they are published: through each, what is trained is what is asked for.

TRL's package carries the texts word for word; ours must not repeat them.
"""

from pathlib import Path

import pytest

from backend.data.encoding import learnable_parts
from backend.data.templates import Renderer
from tests.support.conformance import PROOF
from tests.support.templates import ANSWER, QUESTION, SYSTEM, require_prompt_then_answer, trained_text
from tests.support.tiny_models import byte_tokenizer

FAMILIES = {
    "deepseek_r1_distill": "deepseek",
    "deepseekv3": "deepseek",
    "qwen2_5": "chatml",
    "qwen3": "chatml",
    "qwen3_instruct_2507": "chatml",
    "llama3": "plain",
    "phi3": "plain",
    "gemma": "plain",
}
ENDS = {"llama3": "<|eot_id|>", "phi3": "<|end|>", "gemma": "<end_of_turn>"}
"""What ends a turn there; it is not what ends a text."""
NO_SYSTEM = {"gemma"}


def published(name: str) -> Renderer:
    texts = next((PROOF / "trl" / "lib").glob("python*/site-packages/trl/chat_templates"), Path("missing"))
    tokenizer = byte_tokenizer(FAMILIES[name])
    tokenizer.add_special_tokens({"additional_special_tokens": [ENDS[name]] if name in ENDS else []})
    tokenizer.chat_template = (texts / f"{name}.jinja").read_text(encoding="utf-8")
    return Renderer(tokenizer, "tokenizer")


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("system", [False, True])
def test_each_answer_is_learned_with_its_chain_behind_the_prompt_that_asks_for_it(name, system):
    if system and name in NO_SYSTEM:
        pytest.skip("it refuses system messages, and says so")
    bound = published(name)
    messages = [*([SYSTEM] if system else []), QUESTION, ANSWER, QUESTION, ANSWER]
    parts = learnable_parts(bound, messages)
    for part in parts:
        require_prompt_then_answer(bound, part)
    assert "".join(trained_text(bound, part)[1] for part in parts).count("看“绝杀”") == 2


@pytest.mark.parametrize("name", ["deepseek_r1_distill", "qwen3"])
def test_the_published_template_itself_would_train_without_the_earlier_chain(name):
    bound = published(name)
    rendered = bound.tokenizer.apply_chat_template([QUESTION, ANSWER, QUESTION, ANSWER], tokenize=False)
    assert rendered.count("看“绝杀”") < 2


def test_ours_and_the_published_template_say_the_same_where_it_does_not_cut():
    for name in ("qwen2_5", "llama3"):
        bound = published(name)
        text, _ = trained_text(bound, [QUESTION, ANSWER, QUESTION, ANSWER])
        assert text == bound.tokenizer.apply_chat_template(
            [QUESTION, ANSWER, QUESTION, ANSWER], tokenize=False
        )
