"""Load a category scheme: names, keys, definitions, borderline examples, pair rules.

The scheme is data (`data/categories.toml`); nothing in the code spells a category.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from studio.errors import UnreadableFile
from studio.language import say
from studio.system.documents import READ_FAULTS, one_line, read_whole

_LARGEST = 2**20
BUNDLED_DATA = Path(__file__).resolve().parent.parent.parent / "data"


@dataclass(frozen=True, kw_only=True)
class Borderline:
    """A title that looks like a neighbouring category, and why it is not."""

    title: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Category:
    """One category: `key` is the digit that selects it while labelling."""

    name: str
    english: str
    key: str
    color: str
    definition: str
    borderline: tuple[Borderline, ...]


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """The categories in their fixed order, and the rules for confused pairs."""

    prompt: str
    categories: tuple[Category, ...]
    rules: Mapping[frozenset[str], str]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Category names in the order of the file."""
        return tuple(category.name for category in self.categories)

    def category(self, name: str) -> Category:
        """Look up a category by name.

        Raises:
            KeyError: the scheme has no such category.
        """
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Category]:
        return {category.name: category for category in self.categories}

    def rule(self, one: str, other: str) -> str | None:
        """Look up the rule that decides between two categories, in either order; None if there is none."""
        return self.rules.get(frozenset({one, other}))


@lru_cache(maxsize=8)
def load_scheme(path: Path | None = None) -> Scheme:
    """Load a scheme file; the bundled one when no path is given.

    Raises:
        UnreadableFile: missing, not TOML, or a name, key or pair is invalid.
    """
    path = path or BUNDLED_DATA / "categories.toml"
    try:
        data = tomllib.loads(read_whole(path, _LARGEST).decode("utf-8-sig"))
        categories = tuple(_category(entry) for entry in data["category"])
        rules = {frozenset(entry["pair"]): entry["text"] for entry in data.get("rule", [])}
        scheme = Scheme(prompt=data["prompt"], categories=categories, rules=rules)
        _require_consistent(scheme)
    except READ_FAULTS as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else one_line(error)
        raise UnreadableFile(
            say(f"类别文件 {path} 不可用：{why}。", f"The category file {path} is unusable: {why}."),
            remedy=say(
                "请对照 data/categories.toml 的格式改正。",
                "Correct it after the format of data/categories.toml.",
            ),
        ) from error
    return scheme


def _category(entry: dict[str, object]) -> Category:
    borderline = entry.get("borderline", [])
    if not isinstance(borderline, list):
        raise TypeError("borderline is no list")
    texts = {key: str(entry[key]) for key in ("name", "english", "key", "color", "definition")}
    return Category(**texts, borderline=tuple(Borderline(**example) for example in borderline))


def _require_consistent(scheme: Scheme) -> None:
    if not scheme.categories:
        raise ValueError("no category")
    texts = [scheme.prompt, *scheme.rules.values(), *(name for pair in scheme.rules for name in pair)]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a prompt or a rule is no text")
    if len(set(scheme.names)) != len(scheme.names):
        raise ValueError("a category name occurs twice")
    keys = [category.key for category in scheme.categories]
    if len(set(keys)) != len(keys):
        raise ValueError("a key occurs twice")
    unknown = {name for pair in scheme.rules for name in pair} - set(scheme.names)
    if unknown:
        raise ValueError(f"a rule names an unknown category: {sorted(unknown)}")
