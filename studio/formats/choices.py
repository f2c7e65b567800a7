"""Define what a person says about a file: its form, separator, heading, sheet and columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from studio.errors import UnreadableFile
from studio.formats.columns import GUESSED, Columns
from studio.language import say

Form = Literal[
    "titles",
    "table",
    "fasttext",
    "sharegpt",
    "openai",
    "alpaca",
    "pair",
    "preference",
    "label-studio",
    "prodigy",
    "argilla",
]
"""How a file is written.

titles: one title a line. table: cells under column names, or keys of objects. fasttext: `__label__x title`.
sharegpt, openai, alpaca: conversations. pair: question and answer under keys of their own, with the
thought in a third (TRL prompt/completion, R1 distillations). preference: chosen and rejected answers.
The rest are exports of the tools of these names; doccano's and Label Studio's flat ones are tables.
"""
FORMS: tuple[Form, ...] = get_args(Form)


@dataclass(frozen=True, kw_only=True, slots=True)
class FileChoices:
    """What a person said about a file; None: found out from its content.

    `separator` is the text between cells; `tab` and `space` are taken as words. `header_row` is the
    line or sheet row of the column names, counted from 1; 0: there is none.
    """

    form: Form | None = None
    separator: str | None = None
    header_row: int | None = None
    sheet: str | None = None
    columns: Columns = GUESSED


UNDECIDED = FileChoices()
"""Everything is found out from the content of the file."""

_SEPARATOR_WORDS = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}


def separator_of(word: str) -> str:
    """Read a separator as people type it: the words tab and space, or the signs themselves."""
    return _SEPARATOR_WORDS.get(word.lower(), word)


def separator_name(separator: str) -> str:
    """Name a separator for people."""
    names = {
        "\t": say("制表符", "tab"),
        " ": say("空格", "space"),
        "\u3000": say("全角空格", "full-width space"),
        ",": say("半角逗号", "comma"),
        ";": say("半角分号", "semicolon"),
        "\x01": "\\x01",
    }
    return names.get(separator, f"“{separator}”")


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One way to read a file: the choices that ask for it, and how its first rows then look."""

    choices: FileChoices
    label: str
    rows: Sequence[Sequence[str]] = ()

    @property
    def arguments(self) -> str:
        """Write the choices as options of the command line."""
        words = []
        if self.choices.form:
            words.append(f"--form {self.choices.form}")
        if self.choices.separator:
            shown = {"\t": "tab", " ": "space"}.get(self.choices.separator, f"'{self.choices.separator}'")
            words.append(f"--separator {shown}")
        if self.choices.header_row is not None:
            words.append(f"--header-row {self.choices.header_row}")
        if self.choices.sheet:
            words.append(f"--sheet '{self.choices.sheet}'")
        parts = [(part, getattr(self.choices.columns, part)) for part in ("title", "category")]
        words += [f"--{part}-column '{column}'" for part, column in parts if column]
        return " ".join(words)

    def to_json(self) -> dict[str, Any]:
        """Build an entry of `options` in `news-studio import --preview --json`."""
        return {"arguments": self.arguments, "label": self.label, "rows": [list(row) for row in self.rows]}


class UnclearFile(UnreadableFile):
    """A file can be read in several ways, and a person must say which.

    `options` are these ways, the likeliest first.
    """

    def __init__(self, problem: str, *, options: Sequence[Option]) -> None:
        lines = [f"{option.label}（{option.arguments}）" for option in options]
        english = [f"{option.label} ({option.arguments})" for option in options]
        super().__init__(
            problem,
            remedy=say(f"请选择：{'；'.join(lines)}。", f"Choose: {'; '.join(english)}."),
            code="unclear_form",
        )
        self.options = options
