"""Define row layouts: which key holds what, by dataset_info.json or by default."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache
from typing import Literal

from studio.formats.columns import GUESSED, Columns

LayoutForm = Literal[
    "auto", "sharegpt", "openai", "alpaca", "pair", "turn_pairs", "preference", "label-studio", "prodigy",
    "argilla"
]  # fmt: skip
"""Forms of rows; auto: a conversation, an Alpaca row or a table row, by the keys of each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """The keys of a question, its answer, and the thought before the answer where that is kept apart."""

    question: str
    answer: str
    thought: str | None = None
    verdict: str | None = None


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The row layout that an entry of dataset_info.json declares; `form` auto: detected from each row.

    A column or tag that is given as null does not exist, as in LLaMA-Factory, but for those
    without which there is no conversation. `table` maps the columns of rows that are no
    conversation as a person chose them, `inferred` as their content shows; `class_names` name
    class indices by column. `pair` has the keys of a question and its answer, `control` the
    name under which a labelling tool keeps the category. `indicators` are the columns or paths of a table
    that has one for each category, with 1 in that which holds.
    """

    form: LayoutForm = "auto"
    columns: Mapping[str, str | None] = field(default_factory=dict)
    tags: Mapping[str, str | None] = field(default_factory=dict)
    table: Columns = GUESSED
    inferred: Columns = GUESSED
    pair: Pair | None = None
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    control: str | None = None
    indicators: tuple[str, ...] = ()

    def column(self, name: str) -> str | None:
        """Look up the key of a column, LLaMA-Factory's default where none is given; None: no such column.

        LLaMA-Factory reads `system` and `history` only where an entry names them; a file
        without an entry has them under these names.
        """
        if name in ("prompt", "query") and self.columns:
            # LLaMA-Factory: an entry that names columns has those that it names, and no others.
            return self.columns.get(name)
        default = name if self.form == "auto" else None
        return self.columns.get(name, DEFAULT_COLUMNS.get(name, default))

    @property
    def messages(self) -> str:
        """The key of the turns."""
        return self.columns.get("messages") or DEFAULT_COLUMNS["messages"]

    @property
    def response(self) -> str:
        """The key of an Alpaca row's answer."""
        return self.columns.get("response") or DEFAULT_COLUMNS["response"]

    def tag(self, name: str) -> str:
        """Look up a role name or turn key, LLaMA-Factory's default where none is given."""
        return self._names[name]

    @cached_property
    def _names(self) -> Mapping[str, str]:
        return {name: self.tags.get(name) or default for name, default in DEFAULT_TAGS.items()}

    @cached_property
    def as_openai(self) -> "Layout":
        """This layout with the tags of OpenAI messages."""
        return replace(self, tags=OPENAI_TAGS)

    @property
    def expected(self) -> list[str]:
        """The columns without which LLaMA-Factory stops, except those that are reported row by row."""
        names = {"alpaca": ("prompt", "query", "history", "system"), "sharegpt": ("system",)}.get(
            self.form, ()
        )
        return [column for column in map(self.column, names) if column]

    @cached_property
    def role_kinds(self) -> Mapping[str, str]:
        """The tag that each role name stands for."""
        return {self.tag(tag): tag for tag in DEFAULT_TAGS if tag not in ("role_tag", "content_tag")}

    @cached_property
    def roles(self) -> set[str]:
        """The role names that a turn may have."""
        tags = set(DEFAULT_TAGS) - {"role_tag", "content_tag"}
        return {self.tag(tag) for tag in tags if self.tags.get(tag, "") is not None}


@lru_cache(maxsize=512)
def resolved_columns(table: Columns, inferred: Columns, names: tuple[str, ...]) -> Columns:
    """Resolve the columns of a record: as a person chose, else as content showed, else by known names."""
    chosen, content = table.among(names), inferred.among(names)
    return Columns(
        **{
            part.name: getattr(content, part.name)
            if getattr(table, part.name) is None
            and getattr(inferred, part.name)
            and getattr(content, part.name)
            else getattr(chosen, part.name)
            for part in fields(Columns)
        }
    )


DEFAULT_COLUMNS = {
    "messages": "conversations",
    "prompt": "instruction",
    "query": "input",
    "response": "output",
}
DEFAULT_TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}
OPENAI_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "observation_tag": "tool",
    "function_tag": "function",
    "system_tag": "system",
}
