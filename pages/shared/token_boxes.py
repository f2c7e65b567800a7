"""Draw tokens as coloured boxes, each exactly the text that the tokenizer gives.

A browser component, since Markdown would read some tokens as its own marks. It writes
`textContent` only, so no text of a dataset can become part of the page.
"""

from collections.abc import Sequence

import streamlit as st

from studio.contract import Piece
from studio.language import say

_TOKENS = st.components.v2.component(
    "news_studio_tokens",
    html='<div class="tokens" role="img"></div>',
    css="""
.tokens { font-family: var(--st-font); line-height: 2; white-space: pre-wrap; overflow-wrap: anywhere;
  border: 1px solid var(--st-border-color); border-radius: 8px; padding: 0.6rem 0.8rem;
  max-height: 26rem; overflow-y: auto; }
.tokens span { border-radius: 3px; padding: 0.1rem 1px; margin-right: 1px; }
.read { background: #EEF1F5; color: #3F4856; }
.learned { background: #D5E5F7; color: #16325B; }
.heavy { background: #FBDDB8; color: #6B3A06; font-weight: 600; }
.over { text-decoration: line-through; text-decoration-color: #C0392B; text-decoration-thickness: 2px; }
""",
    js="""
export default function ({ data, parentElement }) {
  const box = parentElement.querySelector(".tokens")
  box.setAttribute("aria-label", data.label)
  box.replaceChildren(...data.pieces.map(([text, kind, title]) => {
    const span = document.createElement("span")
    span.textContent = text
    span.className = kind
    span.title = title
    return span
  }))
}
""",
)


def token_boxes(pieces: Sequence[Piece], *, cutoff_len: int, key: str) -> None:
    """Draw the training text of a row, box by box; what is beyond the cutoff is crossed out."""
    shown: list[tuple[str, str, str]] = []
    start = 0
    for piece in pieces:
        kind = "read" if not piece.learned else "heavy" if piece.weight > 1 else "learned"
        over = " over" if start + len(piece.ids) > cutoff_len else ""
        numbers = ", ".join(map(str, piece.ids))
        title = f"{start + 1}: {numbers}" + (f"  ×{piece.weight:g}" if piece.weight != 1 else "")
        shown.append((visible(piece.text), kind + over, title))
        start += len(piece.ids)
    label = say("训练文本，逐个词元", "The training text, token by token")
    _TOKENS(key=key, data={"pieces": shown, "label": label}, height="content")


def visible(text: str) -> str:
    """Show a line break as a sign and a break, so that a token of nothing else can be seen."""
    return text.replace("\n", "⏎\n")
