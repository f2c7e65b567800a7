"""Add what Streamlit's own keyboard shortcuts lack, as small browser components.

They only look at the page and never hold text or decisions of their own.
"""

from typing import Any

import streamlit as st

_KEYPAD = st.components.v2.component(
    "news_studio_keypad",
    html="<span></span>",
    js="""
export default function ({ parentElement }) {
  const page = parentElement.ownerDocument ?? document
  const press = (event) => {
    const digit = /^Numpad([0-9])$/.exec(event.code)
    if (!digit || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return
    if (event.target.closest?.("input, textarea, [contenteditable=true]")) return
    page.querySelector(`[class*="st-key-digit-${digit[1]}-"] button`)?.click()
  }
  page.addEventListener("keydown", press)
  page.documentElement.dataset.keypad = "on"
  return () => {
    page.removeEventListener("keydown", press)
    delete page.documentElement.dataset.keypad
  }
}
""",
)

_MIRROR = st.components.v2.component(
    "news_studio_mirror",
    html="<span></span>",
    js="""
export default function ({ data, parentElement, setStateValue }) {
  const page = parentElement.ownerDocument ?? document
  let waiting = null
  const typed = (event) => {
    if (!event.target.closest?.(`.st-key-${data.watch}`)) return
    clearTimeout(waiting)
    waiting = setTimeout(() => setStateValue("text", event.target.value), 400)
  }
  page.addEventListener("input", typed)
  return () => { clearTimeout(waiting); page.removeEventListener("input", typed) }
}
""",
)

_FOCUS = st.components.v2.component(
    "news_studio_focus",
    html="<span></span>",
    js="""
export default function ({ data, parentElement }) {
  const page = parentElement.ownerDocument ?? document
  let left = 20
  const focus = () => {
    const box = page.querySelector(`[class*="st-key-${data.watch}"] textarea`)
    if (box) box.focus()
    else if (left-- > 0) waiting = setTimeout(focus, 50)
  }
  let waiting = setTimeout(focus, 50)
  return () => clearTimeout(waiting)
}
""",
)


def focus_on(watch: str) -> None:
    """Put the cursor into the text box of that key, so that nobody has to reach for the mouse."""
    _FOCUS(key=f"focus-{watch}", data={"watch": watch}, height="content")


_UNFOCUS = st.components.v2.component(
    "news_studio_unfocus",
    html="<span></span>",
    js="""
export default function ({ data, parentElement }) {
  const page = parentElement.ownerDocument ?? document
  if (page.documentElement.dataset.focusLeft === data.after) return
  page.documentElement.dataset.focusLeft = data.after
  const held = page.activeElement
  if (held?.closest?.("[role=radiogroup], [data-testid=stButtonGroup]")) held.blur()
}
""",
)


def leave_choice(after: str) -> None:
    """After a choice was clicked, give Enter back to its shortcut: a focused choice would take it."""
    _UNFOCUS(key="unfocus", data={"after": after}, height="content")


_HOLD = st.components.v2.component(
    "news_studio_hold",
    html="<span></span>",
    js="""
export default function ({ parentElement }) {
  const view = (parentElement.ownerDocument ?? document).defaultView ?? window
  const hold = (event) => {
    if (event.key !== "Escape" && event.key !== "Tab") event.stopImmediatePropagation()
  }
  view.addEventListener("keydown", hold, { capture: true })
  view.document.documentElement.dataset.keysHeld = "on"
  return () => {
    view.removeEventListener("keydown", hold, { capture: true })
    delete view.document.documentElement.dataset.keysHeld
  }
}
""",
)


def hold_keys() -> None:
    """Inside a dialog: no key reaches the shortcuts of the page behind it."""
    _HOLD(key="hold-keys", height="content")


def keypad_digits() -> None:
    """Let the digits of the number pad click the buttons whose key begins with `digit-<n>-`.

    Streamlit's `shortcut=` hears only the upper row.
    """
    _KEYPAD(key="keypad", height="content")


def typed_text(watch: str) -> str | None:
    """Return what is in the text box of that key right now, 0.4 s after the last stroke.

    Streamlit tells a script only what was submitted. The box stays the one source of
    what is saved; this copy is for checks while typing. None before the first stroke.
    """
    state: Any = _MIRROR(
        key=f"mirror-{watch}", data={"watch": watch}, default={"text": None}, on_text_change=_nothing
    )
    text = state.text
    return None if text is None else str(text)


def _nothing() -> None:
    """Leave the new text to the run that follows."""
