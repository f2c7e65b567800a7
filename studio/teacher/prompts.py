"""Build the prompt of a teacher, clean its answer, estimate the cost.

Pure rules over the category scheme, shared by the studio, which estimates and shows,
and the worker, which sends the requests. This module knows no endpoint and no database.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from studio.contract import TitleToDraft
from studio.samples.canonical import CLOSE, OPEN
from studio.samples.chain_lint import LONGEST, SHORTEST, ChainRemark
from studio.samples.scheme import Scheme

EXPECTED_CHAIN = (SHORTEST + LONGEST) // 2
"""Characters that a draft is expected to have when its cost is estimated."""

_QUOTES = {"“": "”", "「": "」", "『": "』", '"': '"', "'": "'", "`": "`"}
_FENCE = re.compile(r"\A```\w*\n(.*?)\n?```\Z", re.DOTALL)
_LEAD = re.compile(r"\A(?:思维链|推理过程|理由|think chain|reasoning)\s*[：:]\s*", re.IGNORECASE)
_WIDE = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Tokens, and what they cost in the currency in which the prices were given."""

    prompt_tokens: int
    completion_tokens: int
    price: float


def system_prompt(scheme: Scheme) -> str:
    """Build the system prompt: identical for every request, so that endpoints can cache the prefix."""
    categories = "\n".join(f"- {category.name}：{category.definition}" for category in scheme.categories)
    return (
        "你为中文新闻标题分类的训练数据写思维链。标题和它的类别都已确定，你说明为什么是这一类。\n\n"
        f"类别只有这 {len(scheme.names)} 个：\n{categories}\n\n"
        "好的思维链：\n"
        f"1. {SHORTEST} 到 {LONGEST} 个字，一段话，不分条，不用标记。\n"
        "2. 用中文引号“”原样引用标题里起决定作用的词。\n"
        "3. 与最接近的另一个类别比较，说明为什么不归那一类。\n"
        "4. 最后一句落在给定的类别上，名称与上面一字不差；不提上面没有的类别。\n"
        "5. 只用标题里有的事实，不编造；只用中文，标题里的外文名可以照写；不要套用固定句式。\n\n"
        "只输出思维链本身：不要标题，不要 <think> 标记，不要前言和结语。"
    )


def question(title: str, category: str, scheme: Scheme) -> str:
    """Build the user prompt for one title: its category, the definition, and the rules of its pairs."""
    rules = [
        f"- {category} / {other}：{rule}"
        for other in scheme.names
        if other != category and (rule := scheme.rule(category, other))
    ]
    parts = [
        f"标题：{title}",
        f"类别：{category}",
        f"{category}的定义：{scheme.category(category).definition}",
    ]
    if rules:
        parts.append("易混类别的规则：\n" + "\n".join(rules))
    return "\n".join(parts)


def revision(findings: Sequence[ChainRemark]) -> str:
    """Build the follow-up prompt that asks the teacher to revise a draft with lint remarks."""
    remarks = "\n".join(f"- {finding.message}" for finding in findings)
    return f"这段思维链有以下问题，请改写，仍然只输出思维链本身：\n{remarks}"


def clean_answer(text: str) -> str:
    """Extract the chain from a raw completion: strip reasoning, tags, code fences, quotes, a heading.

    A reasoning model writes its own thoughts into the tags and the answer behind
    them; one that took the tags for the format writes the answer into them and at most
    the category behind.
    """
    text = text.strip()
    if CLOSE in text:
        inside, _, behind = text.rpartition(CLOSE)
        text = behind if len(behind.strip()) >= SHORTEST // 2 else inside.rpartition(OPEN)[2]
    text = text.replace(OPEN, "").strip()
    fenced = _FENCE.match(text)
    text = _LEAD.sub("", fenced[1].strip() if fenced else text)
    closing = _QUOTES.get(text[:1])
    if closing and text.endswith(closing) and closing not in text[1:-1] and text[0] not in text[1:-1]:
        text = text[1:-1]
    return " ".join(text.split())


def estimate(
    titles: Iterable[TitleToDraft], scheme: Scheme, *, prompt_price: float, completion_price: float
) -> Cost:
    """Estimate the cost of one request for each title, from the number of characters.

    A character of Chinese counts as one token and four others as one; real tokenizers
    need less for Chinese, so that this errs upwards. Revisions, retries and the reasoning
    tokens of a model come on top; prices are for a million tokens.
    """
    system = _tokens(system_prompt(scheme))
    frames = {name: _tokens(question("", name, scheme)) for name in scheme.names}
    prompts = [system + frames[one.category] + _tokens(one.title) for one in titles]
    return cost(
        sum(prompts),
        EXPECTED_CHAIN * len(prompts),
        prompt_price=prompt_price,
        completion_price=completion_price,
    )


def cost(prompt_tokens: int, completion_tokens: int, *, prompt_price: float, completion_price: float) -> Cost:
    """Compute the price of so many tokens; prices are for a million."""
    price = (prompt_tokens * prompt_price + completion_tokens * completion_price) / 1e6
    return Cost(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, price=price)


def _tokens(text: str) -> int:
    wide = len(_WIDE.findall(text))
    return wide + math.ceil((len(text) - wide) / 4)
