"""Lint a think chain by quick, explainable rules, without a model: does it argue for its category?

It runs live beside the text box: a finding is a remark, never a refusal, and a good
chain gets none. Quotes of the title do not count as the chain's own words.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from studio.language import say
from studio.samples.problems import Severity
from studio.samples.scheme import Scheme

SHORTEST, LONGEST = 60, 250
"""Characters of a good chain: a shorter one explains too little, in a longer one a small model gets lost."""

BLANK = "＿＿"
"""A blank of a scaffold, for the person to fill in."""

# Each stops at the next opening sign of its kind, and no two repeats stand side by side: a text of one
# sign a hundred thousand times takes as long as any other of its length.
QUOTED = re.compile(r"“([^“”]+)”|「([^「」]+)」|『([^『』]+)』|《([^《》]+)》|\"([^\"]+)\"")
_TAG = re.compile(r"<\s*(?:/\s*)?think\b", re.IGNORECASE)
_CLAUSE_END = re.compile(r"[。！？；，.!?;,\n]")
_EXCLUDES = re.compile(r"[不没无非]|排除|其他|涉及|因为")
_LATIN_WORD = re.compile(r"[A-Za-z]{2,}")
_OTHER_SCRIPT = re.compile(r"[\u0400-\u04ff\u3041-\u30ff\uac00-\ud7af]")
_ASSIGNED_WORD = re.compile(
    r"(?:归[为入到]?|归类[为到]|划[为入]|分类为|类别[是为]|定为)([\u4e00-\u9fff]{2})(?=[。！？；，.!?;,\n]|$)"
)
_ASSIGNING_VERB = re.compile(r"(?:归为|归入|归到|归类为|归类到|划为|划入|分类为|类别是|类别为|定为)$")

_LONGEST_VERB = 4
_CHAIN_READ, _TITLE_READ = 4000, 400
"""Characters that the lint compares, many times those of a good chain and of a title."""

SECTIONS = [
    "军事",
    "财经",
    "旅游",
    "时尚",
    "游戏",
    "汽车",
    "房产",
    "文化",
    "历史",
    "生活",
    "商业",
    "法律",
    "法治",
    "气象",
    "民生",
    "农业",
    "科普",
    "情感",
    "金融",
    "证券",
    "股票",
    "家居",
    "育儿",
    "美食",
    "星座",
    "宠物",
    "动漫",
    "电影",
    "音乐",
    "职场",
    "就业",
    "安全",
    "家庭",
    "创业",
    "环保",
    "能源",
    "交通",
    "体坛",
    "数码",
    "艺术",
    "宗教",
]
"""Sections of news sites that models fall back to; one that is a category of the scheme is none of these."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainRemark:
    """A finding of the lint."""

    code: str
    severity: Severity
    message: str


def lint_chain(title: str, chain: str, category: str, scheme: Scheme) -> list[ChainRemark]:
    """Lint a chain that should argue from the title to the category."""
    chain = chain.strip()
    # What is compared with one another is short, whatever was typed; a chain concludes at its end.
    title, part = title[:_TITLE_READ], chain[-_CHAIN_READ:]
    own_words = _own_words(part, title, scheme)
    findings = [
        _typed_tag(chain),
        _blank(chain),
        _contradiction(own_words, category, scheme),
        _foreign_category(own_words, title, scheme),
        _foreign_language(own_words, title),
        _quotes_nothing(part, title),
        _length(chain),
    ]
    return [finding for finding in findings if finding is not None]


def _typed_tag(chain: str) -> ChainRemark | None:
    """Report a think tag in the chain: saving writes one block around it, and a second breaks the row."""
    if not _TAG.search(chain):
        return None
    return ChainRemark(
        code="chain_tag",
        severity="error",
        message=say(
            "不要写 <think> 标记，保存时会自动加上一对；现在会变成两对。",
            "Leave the <think> tags out: one pair is added when saving; these would be a second.",
        ),
    )


def _blank(chain: str) -> ChainRemark | None:
    count = len(re.findall(f"{BLANK[0]}+", chain))
    if not count:
        return None
    return ChainRemark(
        code="chain_blank",
        severity="warning",
        message=say(f"还有 {count} 处空格没有填。", f"{count} blanks are still to be filled in."),
    )


def _own_words(chain: str, title: str, scheme: Scheme) -> str:
    """Strip what the chain quotes from the title; a quoted category stays."""

    def keep(quote: re.Match[str]) -> str:
        inner = next(part for part in quote.groups() if part is not None)
        return "“”" if inner in title and inner not in scheme.names else f"“{inner}”"

    return QUOTED.sub(keep, chain)


@lru_cache(maxsize=8)
def _names(scheme_names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, scheme_names)))


def _contradiction(own_words: str, category: str, scheme: Scheme) -> ChainRemark | None:
    """Report a chain that concludes with another category, or names none.

    It is read backwards to the clause that decides; a clause that excludes a rival does not.
    """
    names = _names(scheme.names)
    if names.search(own_words) is None:
        return ChainRemark(
            code="chain_undecided",
            severity="hint",
            message=say("思维链没有说出任何类别。", "The chain names no category."),
        )
    for clause in reversed(_CLAUSE_END.split(own_words)):
        named = names.findall(clause)
        if category in named:
            return None
        if named and not _EXCLUDES.search(clause):
            return ChainRemark(
                code="chain_contradicts",
                severity="warning",
                message=say(
                    f"思维链最后落在“{named[-1]}”，答案却是“{category}”。",
                    f"The chain concludes with “{named[-1]}”, but the answer is “{category}”.",
                ),
            )
    return None


def _foreign_category(own_words: str, title: str, scheme: Scheme) -> ChainRemark | None:
    for word in _category_words(own_words):
        if word not in scheme.names and word not in title:
            return ChainRemark(
                code="chain_foreign_category",
                severity="warning",
                message=say(f"“{word}”不是现有的类别。", f"“{word}” is not one of the categories."),
            )
    return None


def _category_words(own_words: str) -> list[str]:
    """Collect the words that the chain uses as a category.

    These are words quoted before 类 or after a verb of assigning, and sections of news sites
    before 类, or between such a verb and the end of its clause.
    """
    words = []
    for quote in re.finditer(r"“([^“”]{1,6})”", own_words):
        before = own_words[max(0, quote.start() - _LONGEST_VERB) : quote.start()]
        after = own_words[quote.end() : quote.end() + 1]
        if after == "类" or _ASSIGNING_VERB.search(before):
            words.append(quote[1].removesuffix("类"))
    assigned = re.findall(r"(?=([\u4e00-\u9fff]{2})类(?:[^型似比]|$))", own_words)
    assigned += _ASSIGNED_WORD.findall(own_words)
    return words + [word for word in assigned if word in SECTIONS]


def _foreign_language(own_words: str, title: str) -> ChainRemark | None:
    words = [
        word
        for word in _LATIN_WORD.findall(own_words)
        if word[1:].islower() and word.lower() not in title.lower()  # GDP and iPhone are names
    ]
    long_words = [word for word in words if len(word) >= 5]
    found = long_words[:1] or (words[:1] if len(words) > 1 else []) or _OTHER_SCRIPT.findall(own_words)[:1]
    if not found:
        return None
    return ChainRemark(
        code="chain_foreign_language",
        severity="warning",
        message=say(
            f"思维链里夹着外文（{found[0]}）。", f"The chain drifts into another language ({found[0]})."
        ),
    )


def _quotes_nothing(chain: str, title: str) -> ChainRemark | None:
    quotes = (next(filter(None, groups), "") for groups in QUOTED.findall(chain))
    if any(quote in title for quote in quotes if quote) or _share_substring(chain, title, 3):
        return None
    return ChainRemark(
        code="chain_no_quote",
        severity="hint",
        message=say("思维链没有引用标题里的词。", "The chain quotes no word of the title."),
    )


def _share_substring(chain: str, title: str, length: int) -> bool:
    return any(title[start : start + length] in chain for start in range(len(title) - length + 1))


def _length(chain: str) -> ChainRemark | None:
    if len(chain) < SHORTEST:
        return ChainRemark(
            code="chain_short",
            severity="hint",
            message=say(
                f"思维链只有 {len(chain)} 字，建议 {SHORTEST} 到 {LONGEST} 字。",
                f"The chain has {len(chain)} characters; {SHORTEST} to {LONGEST} are recommended.",
            ),
        )
    if len(chain) > LONGEST:
        return ChainRemark(
            code="chain_long",
            severity="hint",
            message=say(
                f"思维链有 {len(chain)} 字，建议不超过 {LONGEST} 字。",
                f"The chain has {len(chain)} characters; at most {LONGEST} are recommended.",
            ),
        )
    return None
