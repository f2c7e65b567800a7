"""Test behaviour: change titles in ways that change no category, and count how often the answer flips.

Every change is deterministic: the same title gets the same variant, always and everywhere. What a change does
not apply to gets no variant and counts nowhere. `same` changes nothing: its flips are the noise of computing.
After CheckList's invariance tests (Ribeiro et al. 2020). Pure.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from studio.contract import Prediction, Variant, VariantAnswer
from studio.evaluation.homophones import HOMOPHONES
from studio.evaluation.names import NAMES
from studio.language import say
from studio.stats import wilson_interval

ORIGINAL = ""
"""Test of a title as it is."""


def _width(title: str) -> str:
    """Swap full and half width of letters, digits and signs."""
    return title.translate(_OTHER_WIDTH)


_SIGNS = ",.?!:;()%&+-"
_HALF = "".join(map(chr, [*range(0x30, 0x3A), *range(0x41, 0x5B), *range(0x61, 0x7B)])) + _SIGNS
_OTHER_WIDTH = {ord(sign): chr(ord(sign) + 0xFEE0) for sign in _HALF}
_OTHER_WIDTH |= {ord(full): chr(half) for half, full in _OTHER_WIDTH.items()}


def _no_punctuation(title: str) -> str:
    return re.sub(r"[，。！？、；：…“”‘’「」『』,!?;:\"']", "", title)


def _other_punctuation(title: str) -> str:
    return title.translate(_OTHER_SIGNS)


_OTHER_SIGNS = str.maketrans(
    {"，": " ", "！": "。", "？": "?", "：": " ", "、": "，", "“": "「", "”": "」", "；": "，"}
)


def _traditional(title: str) -> str:
    """Convert simplified characters to traditional ones, and a traditional title to simplified ones."""
    changed = _converter("s2t").convert(title)
    return str(changed if changed != title else _converter("t2s").convert(title))


@cache
def _converter(direction: str) -> Any:
    # Here: its dictionaries take a tenth of a second.
    from opencc import OpenCC

    return OpenCC(direction)


def _numerals(title: str) -> str:
    """Write digits as Chinese numerals, but not those beside letters, as in 5G and C919."""
    return _NUMBER.sub(lambda match: _number_in_words(match[0], match["year"]), title)


_NUMBER = re.compile(
    r"(?<![A-Za-z\d.·:/-])(?:(?P<year>\d{4})(?=年)|\d+(?:\.\d+)?[%％]?)(?![A-Za-z\d·:/-]|\.\d)"
)
_DIGITS = "零一二三四五六七八九"


def _number_in_words(text: str, year: str | None) -> str:
    if year:
        return "".join("〇" if digit == "0" else _DIGITS[int(digit)] for digit in text)
    number, percent = text.rstrip("%％"), text[-1] in "%％"
    whole, _, rest = number.partition(".")
    words = _whole_in_words(whole) + (f"点{_one_by_one(rest)}" if rest else "")
    return f"百分之{words}" if percent else words


def _whole_in_words(digits: str) -> str:
    """Read a whole number of up to four digits; a longer one, or one with a leading zero, digit by digit."""
    if len(digits) > 4 or (digits[0] == "0" and len(digits) > 1):
        return _one_by_one(digits)
    words, skipped = "", False
    for place, digit in zip(range(len(digits) - 1, -1, -1), digits, strict=True):
        if digit == "0":
            skipped = bool(words)
            continue
        words += ("零" if skipped else "") + _DIGITS[int(digit)] + ("", "十", "百", "千")[place]
        skipped = False
    words = words or "零"
    return words.removeprefix("一") if words.startswith("一十") else words


def _one_by_one(digits: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in digits)


def _typo(title: str) -> str:
    """Replace one character by another of the same sound, as an input method would."""
    positions = [index for index, sign in enumerate(title) if sign in HOMOPHONES]
    if not positions:
        return title
    index = positions[_draw(title, "typo") % len(positions)]
    others = HOMOPHONES[title[index]]
    return title[:index] + others[_draw(title, "sound") % len(others)] + title[index + 1 :]


def _other_name(title: str) -> str:
    """Replace a name by another of its type, everywhere in the title."""
    found = _NAME.search(title)
    if found is None:
        return title
    names = next(names for names in NAMES.values() if found[0] in names)
    others = [name for name in names if name not in title]
    return title.replace(found[0], others[_draw(title, "name") % len(others)]) if others else title


_NAME = re.compile(
    "|".join(sorted((name for names in NAMES.values() for name in names), key=len, reverse=True))
)


def _draw(title: str, purpose: str) -> int:
    """Draw a number from the title alone."""
    return int.from_bytes(hashlib.sha256(f"{purpose}\0{title}".encode()).digest()[:6])


@dataclass(frozen=True, kw_only=True)
class BehaviourTest:
    """A change of titles, how it is named, and an example of it."""

    name: tuple[str, str]
    change: Callable[[str], str]


TESTS: Mapping[str, BehaviourTest] = {
    "same": BehaviourTest(name=("原样再答一次（对照）", "unchanged (control)"), change=lambda title: title),
    "width": BehaviourTest(name=("全角半角互换", "full and half width swapped"), change=_width),
    "no_punctuation": BehaviourTest(name=("去掉标点", "punctuation dropped"), change=_no_punctuation),
    "other_punctuation": BehaviourTest(
        name=("换用别的标点", "punctuation swapped"), change=_other_punctuation
    ),
    "traditional": BehaviourTest(
        name=("简体繁体互换", "simplified and traditional swapped"), change=_traditional
    ),
    "prefix": BehaviourTest(
        name=("加【快讯】", "【快讯】 in front"), change=lambda title: f"【快讯】{title}"
    ),
    "suffix": BehaviourTest(
        name=("加“——新华网”", "“——新华网” behind"), change=lambda title: f"{title}——新华网"
    ),
    "numerals": BehaviourTest(name=("数字改成汉字", "digits as Chinese numerals"), change=_numerals),
    "typo": BehaviourTest(name=("一个同音错字", "one typo of the same sound"), change=_typo),
    "other_name": BehaviourTest(
        name=("换一个同类名字", "a name swapped within its type"), change=_other_name
    ),
}


def change_name(test: str) -> str:
    """Name a test in the reader's language."""
    return say(*TESTS[test].name) if test in TESTS else test


def variant(title: str, test: str) -> str | None:
    """Change a title; None where the change does not apply."""
    changed = TESTS[test].change(title)
    return changed if test == "same" or (changed != title and changed.strip()) else None


def variants(rows: Sequence[Prediction], tests: Iterable[str] = TESTS) -> list[Variant]:
    """Make the original and every variant of each row, test by test."""
    made = [Variant(row=row.row, test=ORIGINAL, title=row.title) for row in rows]
    for test in tests:
        changed = ((row, variant(row.title, test)) for row in rows)
        made += [Variant(row=row.row, test=test, title=title) for row, title in changed if title is not None]
    return made


@dataclass(frozen=True, kw_only=True)
class Flip:
    """A title whose answer flipped: as it was and as it was changed, with both answers."""

    row: int
    label: str
    title: str
    changed: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class FlipRate:
    """How often a test flips the answer, over all titles or those of a category.

    `broken` flips left a right answer, `fixed` ones reached it; the others went from wrong to wrong.
    """

    test: str
    category: str | None
    titles: int
    flips: int
    broken: int
    fixed: int

    @property
    def rate(self) -> float:
        """Share of the titles whose answer flipped."""
        return self.flips / self.titles

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the rate."""
        return wilson_interval(self.flips, self.titles)


@dataclass(frozen=True, kw_only=True)
class BehaviourResult:
    """The flips of every test, and their rates over all titles and by category."""

    rates: tuple[FlipRate, ...]
    by_category: tuple[FlipRate, ...]
    flips: Mapping[str, Sequence[Flip]]


def compare_answers(
    rows: Sequence[Prediction], made: Sequence[Variant], answers: Iterable[VariantAnswer]
) -> BehaviourResult:
    """Compare the answer to each variant with that to its original, which the same worker gave."""
    given = {(answer.row, answer.test): answer.predicted for answer in answers}
    by_row = {row.row: row for row in rows}
    changes: dict[str, list[Flip]] = defaultdict(list)
    for each in made:
        row, before = by_row.get(each.row), given.get((each.row, ORIGINAL))
        after = given.get((each.row, each.test))
        if each.test == ORIGINAL or row is None or before is None or after is None:
            continue
        changes[each.test].append(
            Flip(
                row=row.row, label=row.label, title=row.title, changed=each.title, before=before, after=after
            )
        )
    tests = [test for test in TESTS if changes[test]]
    labels = dict.fromkeys(row.label for row in rows)
    return BehaviourResult(
        rates=tuple(_rate(test, None, changes[test]) for test in tests),
        by_category=tuple(
            _rate(test, label, some)
            for test in tests
            for label in labels
            if (some := [each for each in changes[test] if each.label == label])
        ),
        flips={test: [each for each in changes[test] if each.before != each.after] for test in tests},
    )


def _rate(test: str, category: str | None, changes: Sequence[Flip]) -> FlipRate:
    flips = [each for each in changes if each.before != each.after]
    return FlipRate(
        test=test,
        category=category,
        titles=len(changes),
        flips=len(flips),
        broken=sum(each.before == each.label for each in flips),
        fixed=sum(each.after == each.label for each in flips),
    )
