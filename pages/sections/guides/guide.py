"""Choose a guide and draw its text and pictures."""

import re
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.shared import session
from pages.shared.elements import choose_one
from studio.errors import UnreadableFile
from studio.language import current_language, say

GUIDES = Path(__file__).resolve().parents[3] / "docs" / "guides"
NAMES: dict[str, tuple[str, str]] = {
    "annotator": ("标注员", "Annotator"),
    "analyst": ("分析员", "Analyst"),
    "product": ("产品同事", "Product staff"),
    "operator": ("运维", "Operator"),
    "questions": ("教程读者的问题", "Readers' questions"),
}
_PICTURE = re.compile(
    r"^<picture>.*?<img src=\"\.\./images/(?P<file>[\w.]+)\" alt=\"(?P<alt>[^\"]*)\".*</picture>$",
    re.MULTILINE,
)
_CHINESE_LINE_END = re.compile(r"(?<=[，。；：、”）])\n *(?=[^\s\d#<*|-])")
"""A line end inside a Chinese paragraph, which Markdown would show as a space."""
_FILE_LINK = re.compile(r"\[([^\]]+)\]\((?:\.\./)?[\w.]+\.md\)")


@dataclass(frozen=True)
class Picture:
    """A picture of a guide, and what it shows, for those who do not see it."""

    path: Path
    alt: str


def guide() -> None:
    """Draw the chosen guide; `?guide=analyst` opens one."""
    session.follow_address("guide", "choose-guide", NAMES)
    chosen = choose_one(
        say("指南", "Guide"),
        list(NAMES),
        key="choose-guide",
        format_func=lambda name: say(*NAMES[name]),
        label_visibility="collapsed",
    )
    session.keep_address("guide", chosen)
    for part in parts(read_guide(chosen)):
        if isinstance(part, Picture):
            st.image(part.path, alt=part.alt)
        else:
            st.markdown(part)


def read_guide(name: str) -> str:
    """Read a guide in the reader's language, without its heading and the link to the other language.

    Raises:
        UnreadableFile: this copy of the studio came without its docs.
    """
    ending = ".zh.md" if current_language.get() == "zh" else ".md"
    try:
        text = (GUIDES / f"{name}{ending}").read_text(encoding="utf-8")
    except OSError as error:
        raise UnreadableFile(
            say("这份安装里没有指南。", "This installation came without the guides."),
            remedy=say("它们在源码的 docs/guides/ 里。", "They are in docs/guides/ of the source."),
        ) from error
    return _CHINESE_LINE_END.sub("", text.split("\n", 4)[-1])


def parts(text: str) -> list[str | Picture]:
    """Split a guide into its texts and pictures; a link to another file becomes its name."""
    found: list[str | Picture] = []
    at = 0
    for picture in _PICTURE.finditer(text):
        found += [
            text[at : picture.start()],
            Picture(GUIDES.parent / "images" / picture["file"], picture["alt"]),
        ]
        at = picture.end()
    return [
        part if isinstance(part, Picture) else _FILE_LINK.sub(r"\1", part) for part in [*found, text[at:]]
    ]
