"""Map the columns of a table to title, category, think chain, source and date.

A column is known by its name, and doubted by its content: a title column full of
categories is refused, a column of categories that nobody named is found or asked about, a
model's prediction is never taken for the answer. This module reads no file.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from studio.errors import UnreadableFile
from studio.formats.values import is_missing, label_text, lookup
from studio.language import say
from studio.samples.label_matching import Vocabulary
from studio.samples.title_text import compatible

TITLE_COLUMNS = (
    "标题", "新闻标题", "title", "headline", "news_title", "题目", "题名", "sentence", "text", "文本",
    "新闻", "data", "内容", "content",
)  # fmt: skip
CATEGORY_COLUMNS = (
    "类别", "分类", "标签", "category", "label", "class", "新闻类别", "类目", "栏目", "频道", "标注",
    "标注结果", "人工标注", "choice", "choices", "labels", "label_desc", "label_name", "label_text",
    "category_name", "class_name", "section",
)  # fmt: skip
CHAIN_COLUMNS = (
    "思维链", "推理", "思考", "推理过程", "chain", "think", "reasoning", "reasoning_content", "thinking",
    "cot", "complex_cot", "rationale", "thought",
)  # fmt: skip
SOURCE_COLUMNS = ("来源", "媒体", "出处", "source", "media", "publisher")
DATE_COLUMNS = (
    "日期", "发布日期", "发布时间", "时间", "date", "published_at", "published", "pubdate", "time",
)  # fmt: skip
"""Known names of each column; case-insensitive, and earlier names win."""

CONVERSATION_COLUMNS = ("conversations", "messages", "instruction", "output")

MOSTLY_LABELS = 0.6
"""Share of a column's values that must be labels before it counts as a column of categories."""
_EQUAL = 5
"""Rows from which on a title column whose values are all equal is doubted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The columns of a table that a person chose; None: the one with a known name, if any; empty: none.

    Each is a name, or a path into nested values such as `data.text`.
    """

    title: str | None = None
    category: str | None = None
    chain: str | None = None
    source: str | None = None
    date: str | None = None

    def among(self, columns: Sequence[str]) -> "Columns":
        """Resolve the columns in a table: a chosen one if it exists, else by its known names."""
        found = {}
        for part in fields(self):
            chosen = getattr(self, part.name)
            found[part.name] = (
                (chosen if _exists(chosen, columns) else None)
                if chosen is not None
                else _by_name(columns, _NAMES[part.name])
            )
        return Columns(**found)

    def over(self, other: "Columns") -> "Columns":
        """Complete these columns by others."""
        return Columns(
            **{
                part.name: getattr(other, part.name)
                if getattr(self, part.name) is None
                else getattr(self, part.name)
                for part in fields(self)
            }
        )

    @property
    def used(self) -> list[str]:
        """The columns that are taken for something."""
        return [name for part in fields(self) if (name := getattr(self, part.name))]

    def require(self, columns: Sequence[str], name: str) -> None:
        """Require that a table has the chosen columns, and one of titles or conversations.

        Raises:
            UnreadableFile: a column is missing.
        """
        missing = [column for column in self.used if not _exists(column, columns)]
        if missing:
            problem = say(
                f"{name} 里没有选定的列“{missing[0]}”；现有的列：{'、'.join(columns)}。",
                f"{name} has no column “{missing[0]}”; its columns: {', '.join(columns)}.",
            )
            remedy = say("请从现有的列里选择。", "Choose one of its columns.")
            raise UnreadableFile(problem, remedy=remedy, code="missing_key")
        if self.among(columns).title is None and _by_name(columns, CONVERSATION_COLUMNS) is None:
            raise no_title_column(name, columns)


GUESSED = Columns()
"""No column chosen: all are found by their known names."""

_NAMES = {
    "title": TITLE_COLUMNS,
    "category": CATEGORY_COLUMNS,
    "chain": CHAIN_COLUMNS,
    "source": SOURCE_COLUMNS,
    "date": DATE_COLUMNS,
}
_ANY_NAME = frozenset(name for names in _NAMES.values() for name in names)


def no_title_column(name: str, columns: Sequence[str]) -> UnreadableFile:
    """Build the question for the column with the titles."""
    return UnreadableFile(
        say(
            f"{name} 里找不到标题列；现有的列：{'、'.join(columns)}。",
            f"No column of {name} holds titles; its columns: {', '.join(columns)}.",
        ),
        remedy=say(
            "请选择放标题的那一列（--title-column），或把它命名为“标题”。",
            "Choose the column with the titles (--title-column), or name it “title”.",
        ),
        code="missing_key",
    )


def plain_name(name: str) -> str:
    """Normalize a column's name: width, case, invisible signs, and the colon or star behind it."""
    folded = compatible(name).casefold()
    visible = "".join(char for char in folded if unicodedata.category(char) not in ("Cf", "Cc"))
    return re.sub(r"\((?:必填|选填|required|optional)\)|[*:]", "", visible).strip()


def is_known_name(name: str) -> bool:
    """Return whether a cell is a column name that is known."""
    return plain_name(name) in _ANY_NAME


def is_title_name(name: str) -> bool:
    """Return whether a cell is a known name of the title column."""
    return plain_name(name) in TITLE_COLUMNS


def is_prediction_name(name: str) -> bool:
    """Return whether a column's name says that a model, not a person, filled it."""
    return _PREDICTION.search(plain_name(name)) is not None


_PREDICTION = re.compile(
    r"预测|模型|机器|建议|推荐|候选|自动|算法|置信|概率"
    r"|pred|model|suggest|machine|guess|propos|proba|score|confidence|logit|(?<![a-z])(?:auto|ai|gpt|llm)(?![a-z])"
)


def _exists(column: str, columns: Sequence[str]) -> bool:
    return column in columns or column.partition(".")[0] in columns


def _by_name(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """Find the column with one of the names; of two with one name the first, and earlier names win."""
    by_name: dict[str, str] = {}
    for column in columns:
        by_name.setdefault(plain_name(column), column)
    return next((by_name[name] for name in names if name in by_name), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnFinding:
    """The columns as names and content together show them.

    `inferred` names the parts that content, not a name, decided. `unused` are columns that are
    taken for nothing, `unused_labels` those among them whose values are mostly categories.
    `rivals` are columns that could be the title just as well. `question` is set where a person
    must decide: the part, and the columns to choose from.
    """

    columns: Columns
    inferred: Sequence[str] = ()
    unused: Sequence[str] = ()
    unused_labels: Sequence[str] = ()
    rivals: Sequence[str] = ()
    question: tuple[str, Sequence[str]] | None = None
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class _Profile:
    """What the values of one column look like: shares from 0 to 1 of its values that are not missing."""

    count: int
    labels: float
    integers: float
    texts: float
    distinct: int
    length: float

    @property
    def is_labels(self) -> bool:
        return self.count > 0 and self.labels >= MOSTLY_LABELS

    @property
    def is_text(self) -> bool:
        return self.count > 0 and self.texts >= 0.8 and self.length >= 5 and not self.is_labels

    @property
    def is_class_index(self) -> bool:
        return self.count > 0 and self.integers >= 0.95 and self.distinct <= 200


def infer_columns(
    names: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    vocabulary: Vocabulary,
    chosen: Columns = GUESSED,
    *,
    ignored: Sequence[str] = (),
) -> ColumnFinding:
    """Infer what the columns hold from their names and a sample of their values.

    Args:
        names: column names, or paths into nested values.
        chosen: what a person said; it stands.
        ignored: columns of the tool that exported the table, which nobody misses.
    """
    profiles = {name: _profile([lookup(row, name) for row in rows], vocabulary) for name in names}
    named = chosen.among(names)
    columns, inferred = named, []
    rivals: list[str] = []
    doubt = None
    if chosen.title is None:
        title, rivals, doubt = _title_column(names, profiles, columns)
        if title != columns.title:
            inferred.append("title")
        columns = replace(columns, title=title)
    elif columns.title:
        doubt = _doubt(profiles.get(columns.title), strict=False)
    question = None
    if columns.title is None and rivals:
        question = ("title", rivals)
        rivals = []
    if chosen.category is None:
        category, choices = _category_column(names, profiles, columns, ignored)
        if category != columns.category:
            inferred.append("category")
        columns = replace(columns, category=category)
        if choices and question is None:
            question = ("category", choices)
    left = [name for name in names if name not in columns.used and not _is_below(name, columns.used)]
    filled = [name for name in left if profiles[name].count]
    return ColumnFinding(
        columns=columns,
        inferred=inferred,
        unused=[name for name in filled if plain_name(name) not in ignored],
        unused_labels=[name for name in filled if profiles[name].is_labels and not is_prediction_name(name)],
        rivals=rivals,
        question=question,
        doubt=doubt if columns.title else None,
    )


def _is_below(name: str, used: Sequence[str]) -> bool:
    return any(column.startswith(f"{name}.") or name.startswith(f"{column}.") for column in used)


def _profile(values: Sequence[Any], vocabulary: Vocabulary) -> _Profile:
    present = [value for value in values if not is_missing(value)]
    texts = [
        value.strip() if isinstance(value, str) and value[:1] not in ("[", "{") else label_text(value)
        for value in present
    ]
    count = len(texts)
    if not count:
        return _Profile(0, 0, 0, 0, 0, 0)
    return _Profile(
        count=count,
        labels=sum(map(vocabulary.is_label, texts)) / count,
        integers=sum(bool(re.fullmatch(r"\d{1,4}", text)) for text in texts) / count,
        texts=sum(isinstance(v, str) and _is_prose(t) for v, t in zip(present, texts, strict=True)) / count,
        distinct=len(set(texts)),
        length=sum(map(len, texts)) / count,
    )


def _is_prose(text: str) -> bool:
    return not _NO_PROSE.fullmatch(text) and any(char.isalpha() for char in text)


_NO_PROSE = re.compile(
    r"https?://\S*|[\w.+-]+@[\w.-]+|[0-9a-fA-F-]{8,}|[A-Za-z]*[-_]?\d+"
    r"|\d{2,4}[-/.年]\d{1,2}\S*(?:[ T]\S*)?|[\w-]+\.\w{2,4}"
)


def _doubt(profile: _Profile | None, *, strict: bool) -> str | None:
    if profile is None or profile.count < 3:
        return None
    if profile.is_labels:
        return "labels"
    if profile.distinct == 1 and profile.count >= _EQUAL and strict:
        return "equal"
    return None


def _title_column(
    names: Sequence[str], profiles: Mapping[str, _Profile], columns: Columns
) -> tuple[str | None, list[str], str | None]:
    """Find the title column: by name where its content agrees, else the one column of texts."""
    known = [name for name in names if is_title_name(name) and profiles[name].count]
    known.sort(key=lambda name: TITLE_COLUMNS.index(plain_name(name)))
    sound = [name for name in known if _doubt(profiles[name], strict=True) is None]
    if sound:
        first = plain_name(sound[0])
        # Both are names of running text: either may hold the titles.
        is_vague = first in _VAGUE_TITLES
        return sound[0], [name for name in sound[1:] if profiles[name].is_text] if is_vague else [], None
    taken = {columns.category, columns.chain, columns.source, columns.date}
    texts = [name for name in names if profiles[name].is_text and name not in taken and name not in known]
    texts = [name for name in texts if not is_prediction_name(name)] or texts
    hinted = [name for name in texts if _TITLE_HINT.search(plain_name(name))]
    if len(hinted) == 1:
        texts = hinted
    if not texts and columns.title is None:
        # Short titles: the one column that holds words and no labels.
        words = [name for name in names if profiles[name].texts >= 0.8 and not profiles[name].is_labels]
        texts = [name for name in words if name not in taken and profiles[name].distinct > 1]
        texts = [name for name in texts if not is_prediction_name(name)]
    if len(texts) == 1 and (columns.title is None or profiles[texts[0]].distinct > 1):
        return texts[0], [], None
    if columns.title is not None:
        return columns.title, [], _doubt(profiles.get(columns.title), strict=True)
    return None, texts, None


_VAGUE_TITLES = ("text", "文本", "新闻", "data", "内容", "content", "sentence")
_TITLE_HINT = re.compile(r"标题|题目|title|headline")
_CATEGORY_HINT = re.compile(r"类|标签|栏目|频道|label|categ|class|topic|section|tag|choice")


def _category_column(
    names: Sequence[str], profiles: Mapping[str, _Profile], columns: Columns, ignored: Sequence[str]
) -> tuple[str | None, list[str]]:
    """Find the category column; returns the columns to choose from where several may be it."""
    known = columns.category
    taken = {columns.title, columns.chain, columns.source, columns.date}
    labels = [
        name
        for name in names
        if profiles[name].is_labels
        and name not in taken
        and not is_prediction_name(name)
        and plain_name(name) not in ignored
    ]
    if known is not None:
        index_of_names = profiles[known].is_class_index and [
            name for name in labels if plain_name(name).startswith(plain_name(known)) or len(labels) == 1
        ]
        if index_of_names:
            return index_of_names[0], []
        if profiles[known].count and profiles[known].labels < 0.2 and labels:
            return None, [known, *labels]
        return known, []
    hinted = [name for name in labels if _CATEGORY_HINT.search(plain_name(name))]
    if len(labels) == 1 or len(hinted) == 1:
        return (hinted or labels)[0], []
    if labels:
        return None, labels
    indices = [
        name
        for name in names
        if profiles[name].is_class_index
        and name not in taken
        # A column without a name, beside titles, has nothing else to be.
        and (_CATEGORY_HINT.search(plain_name(name)) or re.fullmatch(r"#\d+", name))
    ]
    return (indices[0] if len(indices) == 1 else None), []
