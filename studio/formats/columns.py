"""Map the columns of a table to title, category, think chain, source and date."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from studio.errors import UnreadableFile
from studio.language import say

TITLE_COLUMNS = ("标题", "新闻标题", "title", "headline", "text", "新闻", "内容", "content")
CATEGORY_COLUMNS = ("类别", "分类", "标签", "category", "label", "class")
CHAIN_COLUMNS = ("思维链", "推理", "chain", "think", "reasoning")
SOURCE_COLUMNS = ("来源", "媒体", "出处", "source", "media", "publisher")
DATE_COLUMNS = (
    "日期",
    "发布日期",
    "发布时间",
    "时间",
    "date",
    "published_at",
    "published",
    "pubdate",
    "time",
)
"""Known names of each column; case-insensitive, and earlier names win."""

CONVERSATION_COLUMNS = ("conversations", "messages", "instruction", "output")


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The columns of a table that a person chose; None: the one with a known name, if any; empty: none."""

    title: str | None = None
    category: str | None = None
    chain: str | None = None
    source: str | None = None
    date: str | None = None

    def among(self, columns: Sequence[str]) -> "Columns":
        """Resolve the columns in a table: a chosen one if it exists, else by its known names."""
        found = {}
        for field in fields(self):
            chosen = getattr(self, field.name)
            found[field.name] = (
                (chosen if chosen in columns else None)
                if chosen is not None
                else _by_name(columns, _NAMES[field.name])
            )
        return Columns(**found)

    def require(self, columns: Sequence[str], name: str) -> None:
        """Require that a table has the chosen columns, and one of titles or conversations.

        Raises:
            UnreadableFile: a column is missing.
        """
        chosen = [getattr(self, field.name) for field in fields(self)]
        missing = [column for column in chosen if column and column not in columns]
        if missing:
            problem = say(
                f"{name} 里没有选定的列“{missing[0]}”；现有的列：{'、'.join(columns)}。",
                f"{name} has no column “{missing[0]}”; its columns: {', '.join(columns)}.",
            )
            remedy = say("请从现有的列里选择。", "Choose one of its columns.")
            raise UnreadableFile(problem, remedy=remedy, code="missing_key")
        if self.among(columns).title is None and _by_name(columns, CONVERSATION_COLUMNS) is None:
            raise UnreadableFile(
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


GUESSED = Columns()
"""No column chosen: all are found by their known names."""

_NAMES = {
    "title": TITLE_COLUMNS,
    "category": CATEGORY_COLUMNS,
    "chain": CHAIN_COLUMNS,
    "source": SOURCE_COLUMNS,
    "date": DATE_COLUMNS,
}


def _by_name(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """Find the column with one of the names; earlier names win."""
    by_name = {column.strip().lower(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), None)
