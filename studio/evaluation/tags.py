"""Tag the rows of an evaluation: what is special about a title, its answer, neighbours, other answers.

Pure functions over predictions and what is known about them; `row_tags` gathers that from the workspace and
keeps the result. A tag is a code, or `source=...` and `month=...` with a value. Tags of kind `outcome` follow
from whether an answer was right, so their accuracy says nothing; the others can explain errors.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from studio.contract import Prediction
from studio.evaluation.names import PLACES
from studio.evaluation.neighbours import Neighbour
from studio.language import say
from studio.messages import shown
from studio.samples.chain_lint import QUOTED, lint_chain
from studio.samples.scheme import Scheme
from studio.stats import wilson_interval

TagKind = Literal["outcome", "answer", "data", "title"]

LONG, SHORT = 30, 15
"""Characters of a long and of a short title, both included."""
FAR, NEAR = 0.08, 0.12
"""Similarity below which a title has no near training row, and from which its nearest one's label counts."""
SURE = 0.5
"""By how much a model's own answer must lead the label for it to speak against the label."""
SIGNALS = 2
"""Independent signals against a label that make it suspect."""


@dataclass(frozen=True, kw_only=True)
class TagText:
    """How a tag is named and explained, and what it is about."""

    kind: TagKind
    name: tuple[str, str]
    meaning: tuple[str, str]


TAGS: Mapping[str, TagText] = {
    "in_top_3": TagText(
        kind="outcome",
        name=("前三里有", "right in top 3"),
        meaning=(
            "答错了，但数据集的类别在直接打分的前三名里。",
            "Wrong, but the dataset's category is among the three likeliest of direct scoring.",
        ),
    ),
    "wrong_everywhere": TagText(
        kind="outcome",
        name=("每个运行都错", "wrong in every run"),
        meaning=(
            "答过这条标题的运行（至少两个）都答错了。",
            "Every run that answered this title, at least two, got it wrong.",
        ),
    ),
    "suspect_label": TagText(
        kind="outcome",
        name=("标签可疑", "suspected label error"),
        meaning=(
            "标签扫描怀疑它，或者至少两条线索（模型很有把握、各运行一致、最近的训练行）都指向同一个别的类别。",
            "The label scan doubts it, or at least two signals (a confident model, all runs in agreement, "
            "the nearest training row) point to the same other category.",
        ),
    ),
    "right_refused": TagText(
        kind="outcome",
        name=("答对但会弃权", "right but refused"),
        meaning=(
            "答对了，但把握低于选定的门槛，会请人判断。",
            "Right, but its confidence is under the chosen threshold, so a person would be asked.",
        ),
    ),
    "unparsed": TagText(
        kind="outcome",
        name=("无法解析", "unparsed"),
        meaning=("回答里读不出类别。", "No category can be read in the answer."),
    ),
    "seed_flip": TagText(
        kind="answer",
        name=("随种子变", "flips between seeds"),
        meaning=(
            "只有随机种子不同的训练，对它给出不同的类别。",
            "Trainings that differ in their seed alone answer it differently.",
        ),
    ),
    "mode_flip": TagText(
        kind="answer",
        name=("两种方式不一致", "chain and direct differ"),
        meaning=(
            "写思维链和直接打分给出不同的类别。",
            "The think chain and direct scoring answer it differently.",
        ),
    ),
    "chain_contradicts": TagText(
        kind="answer",
        name=("思维链与答案矛盾", "chain says another category"),
        meaning=(
            "模型的思维链落在一个类别，答案却是另一个。",
            "The model's chain concludes with another category than its answer.",
        ),
    ),
    "chain_right": TagText(
        kind="outcome",
        name=("思维链落在正确类别", "chain argues for the right category"),
        meaning=(
            "答错了，思维链却落在数据集的类别上。",
            "Wrong, although the chain concludes with the dataset's category.",
        ),
    ),
    "forced": TagText(
        kind="answer",
        name=("思维链被截断", "forced end"),
        meaning=("思维链写到上限，被强行收尾。", "The chain reached its limit and was closed from outside."),
    ),
    "quotes_absent": TagText(
        kind="answer",
        name=("引文不在标题里", "quotes absent from the title"),
        meaning=(
            "思维链加了引号的词，至少一半标题里没有。",
            "At least half of what the chain puts in quotation marks is not in the title.",
        ),
    ),
    "near_other_label": TagText(
        kind="data",
        name=("最近的训练行是别的类", "nearest training row has another label"),
        meaning=(
            "最相似的训练标题属于另一个类别。",
            "The most similar training title has another category than this row.",
        ),
    ),
    "no_near_row": TagText(
        kind="data",
        name=("训练集里没有相近的", "no near training row"),
        meaning=("训练集里没有字面上相近的标题。", "No training title resembles it."),
    ),
    "long_title": TagText(
        kind="title",
        name=("长标题", "long title"),
        meaning=(f"{LONG} 字及以上。", f"{LONG} characters or more."),
    ),
    "short_title": TagText(
        kind="title",
        name=("短标题", "short title"),
        meaning=(f"{SHORT} 字及以下。", f"{SHORT} characters or fewer."),
    ),
    "digits": TagText(
        kind="title", name=("有数字", "digits"), meaning=("标题里有阿拉伯数字。", "The title has digits.")
    ),
    "latin": TagText(
        kind="title",
        name=("有拉丁字母", "Latin letters"),
        meaning=("标题里有拉丁字母。", "The title has Latin letters."),
    ),
    "place": TagText(
        kind="title",
        name=("有地名", "place name"),
        meaning=("标题里有国家、省份或大城市的名字。", "The title names a country, province or large city."),
    ),
    "question": TagText(
        kind="title",
        name=("问句", "question"),
        meaning=("标题里有问号。", "The title has a question mark."),
    ),
    "quoted": TagText(
        kind="title",
        name=("有引号", "quotation marks"),
        meaning=("标题里有引号或书名号。", "The title has quotation marks or title marks."),
    ),
}
VALUED: Mapping[str, tuple[str, str]] = {"source": ("来源", "source"), "month": ("月份", "month")}
"""Tags with a value: `source=...`."""
NOT = "!"
"""Before a tag: without it."""

_DIGIT, _LATIN = re.compile(r"[0-9０-９]"), re.compile(r"[A-Za-zＡ-Ｚａ-ｚ]")
_PLACE = re.compile("|".join(sorted(PLACES, key=len, reverse=True)))
_QUOTING = re.compile(r"[“”「」『』《》\"]")


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """What is known about the rows beside their predictions; each part may be missing.

    Args:
        direct: probabilities of direct scoring, by title.
        other_mode: the answer of the other way of answering, by title.
        other_runs: answers of other runs in the same way, by title.
        other_seeds: the answers among them of trainings that differ in their seed alone.
        nearest: the nearest training rows, the most similar first, by title; None: not looked for.
        suspects: what the label scan thinks that a title is, by title.
        sources: where a title came from, by title.
        months: when it was published or taken in, as 2026-11, by title.
    """

    direct: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    other_mode: Mapping[str, str | None] = field(default_factory=dict)
    other_runs: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    other_seeds: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    nearest: Mapping[str, Sequence[Neighbour]] | None = None
    suspects: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    months: Mapping[str, str] = field(default_factory=dict)


def tags_of_row(row: Prediction, known: Knowledge, scheme: Scheme) -> list[str]:
    """List the tags of a row, in the order of TAGS."""
    claims = {
        **_of_outcome(row, known),
        **_of_answer(row, known, scheme),
        **_of_data(row, known),
        **of_title(row.title),
    }
    tags = [tag for tag in TAGS if claims.get(tag)]
    valued = {"source": known.sources.get(row.title), "month": known.months.get(row.title)}
    return tags + [f"{name}={value}" for name, value in valued.items() if value]


def _of_outcome(row: Prediction, known: Knowledge) -> dict[str, bool]:
    wrong = row.predicted != row.label
    probabilities = known.direct.get(row.title) or {}
    likeliest = sorted(probabilities, key=lambda name: -probabilities[name])[:3]
    others = known.other_runs.get(row.title, ())
    return {
        "in_top_3": wrong and row.label in likeliest,
        "wrong_everywhere": wrong and bool(others) and all(answer != row.label for answer in others),
        "suspect_label": wrong and suspected(row, known) is not None,
        "unparsed": row.predicted is None,
    }


def suspected(row: Prediction, known: Knowledge) -> str | None:
    """Return the category that a row's label seems to be in truth; None where nothing speaks against it."""
    if row.title in known.suspects:
        return known.suspects[row.title]
    votes: dict[str, int] = defaultdict(int)
    probabilities = known.direct.get(row.title) or {}
    if probabilities:
        best = max(probabilities, key=lambda name: probabilities[name])
        votes[best] += probabilities[best] - probabilities.get(row.label, 0.0) >= SURE
    answers = {row.predicted, *known.other_runs.get(row.title, ())}
    if len(known.other_runs.get(row.title, ())) >= 2 and len(answers) == 1 and row.predicted:
        votes[row.predicted] += 1
    near = _near_label(row, known)
    if near is not None:
        votes[near] += 1
    named = [name for name, count in votes.items() if name != row.label and count >= SIGNALS]
    return named[0] if named else None


def _of_answer(row: Prediction, known: Knowledge, scheme: Scheme) -> dict[str, bool]:
    seeds = {row.predicted, *known.other_seeds.get(row.title, ())}
    return {
        "seed_flip": len(seeds) > 1,
        "mode_flip": row.title in known.other_mode and known.other_mode[row.title] != row.predicted,
        "chain_contradicts": contradicts(row, scheme),
        "chain_right": contradicts(row, scheme) and concludes_with(row, row.label, scheme),
        "forced": row.forced,
        "quotes_absent": quotes_absent(row.chain or "", row.title),
    }


def contradicts(row: Prediction, scheme: Scheme) -> bool:
    """Tell whether the model's chain concludes with another category than its answer."""
    if not row.chain or row.predicted not in scheme.names:
        return False
    return not concludes_with(row, row.predicted, scheme, undecided=True)


def concludes_with(row: Prediction, category: str, scheme: Scheme, *, undecided: bool = False) -> bool:
    """Tell whether the model's chain concludes with a category; `undecided`: or with none."""
    codes = {remark.code for remark in lint_chain(row.title, row.chain or "", category, scheme)}
    return "chain_contradicts" not in codes and (undecided or "chain_undecided" not in codes)


def quotes_absent(chain: str, title: str) -> bool:
    """Tell whether at least half of what a chain puts in quotation marks is not in the title."""
    found, quotes = quote_counts(chain, title)
    return bool(quotes) and 2 * found <= quotes


def quote_counts(chain: str, title: str) -> tuple[int, int]:
    """Count the quotes of a chain that are in the title, and all of them."""
    quotes = [next(filter(None, groups), "") for groups in QUOTED.findall(chain)]
    return sum(quote in title for quote in quotes), len(quotes)


def _of_data(row: Prediction, known: Knowledge) -> dict[str, bool]:
    if known.nearest is None:
        return {}
    near = known.nearest.get(row.title, ())
    label = _near_label(row, known)
    return {
        "near_other_label": label is not None and label != row.label,
        "no_near_row": not near or near[0].similarity < FAR,
    }


def _near_label(row: Prediction, known: Knowledge) -> str | None:
    near = (known.nearest or {}).get(row.title, ())
    return near[0].row.category if near and near[0].similarity >= NEAR else None


def of_title(title: str) -> dict[str, bool]:
    """Tell which tags a title has by its text alone."""
    return {
        "long_title": len(title) >= LONG,
        "short_title": len(title) <= SHORT,
        "digits": bool(_DIGIT.search(title)),
        "latin": bool(_LATIN.search(title)),
        "place": bool(_PLACE.search(title)),
        "question": "？" in title or "?" in title,
        "quoted": bool(_QUOTING.search(title)),
    }


@dataclass(frozen=True, kw_only=True)
class TagCount:
    """How the rows with a tag were answered.

    `lift` is the error rate of these rows over that of all: above 1 the errors gather here. None for an
    outcome, and where nothing is wrong.
    """

    tag: str
    count: int
    correct: int
    interval: tuple[float, float]
    lift: float | None

    @property
    def accuracy(self) -> float:
        """Share of the rows with the tag that were answered correctly."""
        return self.correct / self.count


def tag_counts(rows: Sequence[Prediction], tags: Mapping[int, Sequence[str]]) -> list[TagCount]:
    """Count rows and right answers of each tag, in the order of TAGS, valued tags by their size."""
    by_tag: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        for tag in tags.get(row.row, ()):
            by_tag[tag].append(row.predicted == row.label)
    errors = sum(row.predicted != row.label for row in rows) / max(1, len(rows))
    found = []
    for tag, right in by_tag.items():
        share = 1 - sum(right) / len(right)
        found.append(
            TagCount(
                tag=tag,
                count=len(right),
                correct=sum(right),
                interval=wilson_interval(sum(right), len(right)),
                lift=share / errors if errors and kind_of(tag) != "outcome" else None,
            )
        )
    order = {tag: number for number, tag in enumerate(TAGS)}
    return sorted(found, key=lambda each: (order.get(each.tag, len(order)), -each.count, each.tag))


def kind_of(tag: str) -> TagKind:
    """Return what a tag is about; a valued tag is about the title."""
    return TAGS[tag].kind if tag in TAGS else "title"


def is_tag(text: str) -> bool:
    """Tell whether a text, such as one from an address, can be a tag, or one that is lacked."""
    text = text.removeprefix(NOT)
    return text in TAGS or text.partition("=")[0] in VALUED


def tag_name(tag: str) -> str:
    """Name a tag in the reader's language."""
    if tag.startswith(NOT):
        return say("没有“{name}”", "without “{name}”", name=tag_name(tag.removeprefix(NOT)))
    if tag in TAGS:
        return say(*TAGS[tag].name)
    name, _, value = tag.partition("=")
    label = say(*VALUED[name]) if name in VALUED else name
    return f"{label}{say('：', ': ')}{shown(value) or value}"


def tag_meaning(tag: str) -> str:
    """Explain a tag in the reader's language."""
    return say(*TAGS[tag].meaning) if tag in TAGS else ""


def with_tags(
    rows: Iterable[Prediction], tags: Mapping[int, Sequence[str]], wanted: Sequence[str]
) -> list[Prediction]:
    """Filter rows to those that have every wanted tag, and none that is wanted lacking."""
    needed = {tag for tag in wanted if not tag.startswith(NOT)}
    refused = {tag.removeprefix(NOT) for tag in wanted if tag.startswith(NOT)}
    return [row for row in rows if needed <= (having := set(tags.get(row.row, ()))) and not refused & having]
