"""Draw the button that lists the keys of a page in a dialog; `?` presses it."""

from collections.abc import Sequence

import streamlit as st

from pages.shared.keyboard import HELP
from studio.language import say

Key = tuple[str, str, str]
"""The keys as they are printed, and what they do: Chinese, English."""


def keys_button(keys: Sequence[Key]) -> None:
    """Draw the button; `?`, or F1 from within a text box, does the same."""
    if st.button(
        say("快捷键 ?", "Keys ?"),
        key=HELP,
        icon=":material/keyboard:",
        type="tertiary",
        help=say(
            "列出这一页的快捷键：? 键，在文字框里按 F1", "List the keys: ?, or F1 from within a text box"
        ),
    ):
        _dialog(keys)


def _dialog(keys: Sequence[Key]) -> None:
    @st.dialog(say("这一页的快捷键", "Keys of this page"), width="medium")
    def show() -> None:
        rows = "\n".join(f"| {_marks(name)} | {say(zh, en)} |" for name, zh, en in keys)
        st.markdown(f"| {say('按键', 'Key')} | {say('作用', 'What it does')} |\n|---|---|\n{rows}")
        st.caption(
            say(
                "打字时单个键不起作用，带 Alt 或 Ctrl 的仍然起作用；弹窗打开时都不起作用。Esc 关闭。",
                "While you type, single keys do nothing; those with Alt or Ctrl still act. None acts while a "
                "dialog is open. Esc closes this.",
            )
        )

    show()


def _marks(name: str) -> str:
    """Draw each key of a list (`1 … 0`, `Alt+S`) as a key."""
    return " ".join(part if part in ("…", "/") else f"`{part}`" for part in name.split(" "))
