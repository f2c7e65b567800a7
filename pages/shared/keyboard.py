"""Add what Streamlit's own keyboard shortcuts lack, as small browser components.

They only look at the page and never hold text or decisions of their own.
"""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from studio.language import say

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
    const box = event.target
    // A box that was saved and is gone: its text is no longer anybody's draft.
    waiting = setTimeout(() => { if (box.isConnected) setStateValue("text", box.value) }, 400)
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
  const host = parentElement.host ?? parentElement
  if (host.newsStudioWatch === data.watch) return
  let left = 40
  const focus = () => {
    const box = page.querySelector(`[class*="st-key-${data.watch}"] :is(input, textarea)`)
    if (box) {
      host.newsStudioWatch = data.watch
      if (page.activeElement !== box) box.focus()
    } else if (left-- > 0) waiting = setTimeout(focus, 50)
  }
  let waiting = setTimeout(focus, 20)
  return () => clearTimeout(waiting)
}
""",
)


def focus_on(watch: str, *, place: str = "box") -> None:
    """Put the cursor into the text box of that key once, so that nobody has to reach for the mouse.

    Args:
        watch: beginning of the key of the box; another one is another box.
        place: where on the page, one call each; when it is drawn anew, the cursor returns.
    """
    _FOCUS(key=f"focus-{place}", data={"watch": watch}, height="content")


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


_GUARD = st.components.v2.component(
    "news_studio_guard",
    html="<span></span>",
    js="""
const TEXT = "input:not([type=checkbox], [type=radio], [type=range], [type=button], [type=file]), "
  + "textarea, select, [contenteditable=true]"
const OVERLAY = "[role=dialog], [data-testid=stPopoverBody], [role=listbox], [role=menu]"
const SEEN_MS = 200
const BOX_MS = 2000

export default function ({ data, parentElement }) {
  const page = parentElement.ownerDocument ?? document
  const view = page.defaultView ?? window
  const fieldOf = (event) =>
    (event.composedPath?.() ?? [event.target]).find((each) => each.matches?.(TEXT))
  const isShown = (element) => element.getClientRects().length > 0
  const hasOverlay = () => [...page.querySelectorAll(OVERLAY)].some(isShown)
  const buttonOf = (key) => page.querySelector(`[class*="st-key-${key}"] button:not(:disabled)`)
  const isBare = (event) => !event.ctrlKey && !event.altKey && !event.metaKey

  // When the title on screen last changed: nobody has read it in a fifth of a second.
  const shownTitle = () => page.querySelector("h2")?.textContent
  let title = shownTitle(), changed = -SEEN_MS
  // Streamlit names every key in English for screen readers.
  const translate = () => {
    for (const key of page.querySelectorAll("kbd[aria-label]")) {
      const name = key.getAttribute("aria-label").replace(/^(Shortcut|快捷键)/, data.shortcut)
      if (name !== key.getAttribute("aria-label")) key.setAttribute("aria-label", name)
    }
  }
  translate()
  const observer = new MutationObserver(() => {
    translate()
    const now = shownTitle()
    if (now !== title) { title = now; changed = performance.now() }
  })
  observer.observe(page.body, { childList: true, subtree: true, characterData: true })

  // A box that a key has asked for and that is not drawn yet: what is typed meanwhile belongs into it.
  let box = null
  const awaitBox = (opener, key, isBeside) => {
    const began = performance.now()
    box = { opener, isBeside, typed: "", isHeard: false, left: 10 }
    const look = () => {
      if (!box) return
      const field = page.querySelector(`[class*="st-key-${key}"] :is(input, textarea)`)
      const isRunning = page.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "running"
      box.isHeard ||= isRunning
      if (field) { field.focus(); put(field, box.typed); box = null }
      else if (performance.now() - began > BOX_MS || (box.isHeard && !isRunning && !box.left--)) box = null
      else setTimeout(look, 20)
    }
    setTimeout(look, 20)
  }
  const put = (field, text) => {
    if (!text) return
    const kind = field.tagName === "TEXTAREA" ? view.HTMLTextAreaElement : view.HTMLInputElement
    Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(field, field.value + text)
    field.dispatchEvent(new Event("input", { bubbles: true }))
  }

  const stop = (event, { prevent = false } = {}) => {
    event.stopImmediatePropagation()
    if (prevent) event.preventDefault()
  }
  const early = (event) => {
    if (event.newsStudio) return
    const field = fieldOf(event)
    const isInputMethod = event.isComposing || event.keyCode === 229 || event.key === "Process"
    if (isInputMethod) {
      stop(event)
      const letter = /^Key([A-Z])$/.exec(event.code)?.[1]
      if (event.isComposing || field || hasOverlay() || !letter || !isBare(event)) return
      // An input method that is on without a text to write in: the key means what is printed on it.
      stop(event, { prevent: true })
      for (const kind of ["keydown", "keyup"]) {
        const meant = { key: letter.toLowerCase(), code: event.code, keyCode: letter.charCodeAt(0) }
        const plain = new KeyboardEvent(kind, { ...meant, bubbles: true, composed: true })
        plain.newsStudio = true
        event.target.dispatchEvent(plain)
      }
      return
    }
    if (box && (!field || box.isBeside) && isBare(event)) {
      if (event.key.length === 1) {
        box.typed += event.key
        stop(event, { prevent: true })
      } else if (event.key === "Backspace") {
        box.typed = box.typed.slice(0, -1)
        stop(event, { prevent: true })
      } else if (event.key === "Enter") stop(event, { prevent: true })
    }
  }
  // On the body: what is typed into has heard the key by then, the shortcuts of the page have not.
  const late = (event) => {
    if (event.key === "Tab") return
    const field = fieldOf(event)
    if (/^(Enter|Escape)$/.test(event.key)) leave()
    if (field?.closest("[data-testid=stSidebar]") || hasOverlay()) return event.stopPropagation()
    if (event.key === "F1" || (!field && /^[?？]$/.test(event.key))) {
      const help = buttonOf(data.help)
      if (help) { event.preventDefault(); help.click() }
      return event.stopPropagation()
    }
    if (open(event)) return
    if (field) return isBare(event) && event.key !== "Escape" ? event.stopPropagation() : undefined
    if (event.repeat) return event.stopPropagation()
    const isAnswer = isBare(event) && (event.key.length === 1 || event.key === "Enter")
    if (isAnswer && performance.now() - changed < SEEN_MS) event.stopPropagation()
  }
  // Pressed here and not by Streamlit's shortcut, so that what is typed next is known to belong into the box.
  const open = (event) => {
    if (event.repeat || event.ctrlKey || event.metaKey || (fieldOf(event) && !event.altKey)) return false
    for (const [opener, key, field] of data.boxes) {
      const isIt = event.key.toLowerCase() === opener
        || (event.altKey && event.code === `Key${opener.toUpperCase()}`)
      const button = isIt ? buttonOf(key) : null
      if (!button || /Alt|⌥/.test(button.querySelector("kbd")?.textContent) !== event.altKey) continue
      event.stopPropagation()
      event.preventDefault()
      if (!box) {
        button.click()
        awaitBox(opener, field, event.altKey)
      }
      return true
    }
    return false
  }
  // A choice in the side bar is made: the keyboard goes back to the page.
  const leave = (left = 10) => setTimeout(() => {
    const held = page.activeElement
    if (held?.matches("[data-testid=stSidebar] [role=combobox][aria-expanded=false]")) held.blur()
    else if (left) leave(left - 1)
  }, 50)
  const chosen = (event) => { if (event.target.closest?.("[role=option]")) leave() }

  view.addEventListener("keydown", early, { capture: true })
  page.body.addEventListener("keydown", late)
  page.addEventListener("pointerup", chosen, { capture: true })
  page.documentElement.dataset.keysGuarded = "on"
  return () => {
    observer.disconnect()
    view.removeEventListener("keydown", early, { capture: true })
    page.body.removeEventListener("keydown", late)
    page.removeEventListener("pointerup", chosen, { capture: true })
    delete page.documentElement.dataset.keysGuarded
  }
}
""",
)

_CHOICE = st.components.v2.component(
    "news_studio_choice",
    html="<span></span>",
    js="""
export default function ({ data, parentElement }) {
  const page = parentElement.ownerDocument ?? document
  const press = (event) => {
    const digit = /^(?:Digit|Numpad)([0-9])$/.exec(event.code)?.[1]
    if (!digit || !event.altKey || event.ctrlKey || event.metaKey || event.repeat) return
    const option = page.querySelectorAll(`[class*="st-key-${data.watch}"] button`)[data.keys.indexOf(digit)]
    if (!option) return
    event.preventDefault()
    // A second click would take the choice back.
    if (option.getAttribute("aria-checked") !== "true") option.click()
  }
  page.addEventListener("keydown", press)
  return () => page.removeEventListener("keydown", press)
}
""",
)


def choose_by_digit(watch: str, keys: Sequence[str]) -> None:
    """Let Alt and a digit choose an option of the pills of that key; `keys` are the digits in their order."""
    _CHOICE(key="choose-by-digit", data={"watch": watch, "keys": list(keys)}, height="content")


HELP = "show-keys"
"""Key of the button that lists the keys of a page; `?` presses it."""

BOXES = (
    ("s", "skip-", "reason-text-"),
    ("f", "flag-", "reason-text-"),
    ("t", "back-", "review-comment-"),
)
"""A letter, the button that it presses, and the text box that opens: each by the beginning of its key."""


FOCUS_STYLE = """<style>
:is(a, button, summary, [role=radio], [role=tab], [role=option]):focus-visible {
  outline: 2px solid var(--st-primary-color, #2B5C9E) !important;
  outline-offset: 2px;
}
[data-testid=stMain]:focus, [data-testid=stMain]:focus-visible { outline: none; box-shadow: none; }
</style>"""
"""Where the keyboard is: Streamlit leaves that out for the menu, and frames the whole page instead."""

NO_ENGLISH_HINTS = "<style>[data-testid=InputInstructions] { display: none; }</style>"
"""Streamlit's "Press Enter to submit form" is English in every language."""


def guard() -> None:
    """Keep shortcuts to the page itself: none fires while somebody types or an overlay is open.

    A text field in the side bar, a dialog or a popover keeps every key; one on the page lets only
    combinations with Ctrl or Alt, and Escape, through. An input method that composes keeps every key, too.
    A key that is held down counts once, and a title that was drawn a moment ago is not answered yet.
    """
    st.html(FOCUS_STYLE + say(NO_ENGLISH_HINTS, ""))
    data = {"help": HELP, "boxes": BOXES, "shortcut": say("快捷键", "Shortcut")}
    _GUARD(key="guard-keys", data=data, height="content")


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
