"""Keep the filters, the order and the title that is open in the address, so that a link opens the same view.

Not bound by Streamlit, which would write the names of options there in the reader's language.
"""

from collections.abc import Mapping

import streamlit as st

from pages.shared import session
from studio.corpus.titles import STATUSES

OPEN = "title"
FILTERS = ("text", "status", "category", "author", "batch", "source", "tag", "chain", "order")
ORDERS = ("oldest", "newest", "changed")
_WRITTEN = "titles-address"
"""Session key: what this page wrote into the address last; anything else there came with a link."""


def key_of(name: str) -> str:
    """Return the widget key of a filter."""
    return "titles-text" if name == "text" else f"choose-titles-{name}"


def read_address() -> None:
    """Set the filters to those of the address, where it is not this page that wrote them.

    Who comes back by the menu, whose links name no filter, finds the filters as they were.
    """
    here = {name: st.query_params[name] for name in FILTERS if name in st.query_params}
    written: Mapping[str, str] | None = st.session_state.get(_WRITTEN)
    if written is not None and here in ({}, written):
        here = dict(written)
    for name in FILTERS:
        key = key_of(name)
        if written is None or here != written or key not in st.session_state:
            st.session_state[key] = _value(name, here.get(name))


def write_address() -> None:
    """Write the filters that are set into the address."""
    here = {}
    for name in FILTERS:
        value = st.session_state.get(key_of(name))
        if value not in (None, "", ORDERS[0]):
            here[name] = _text(value)
    st.session_state[_WRITTEN] = here
    for name in FILTERS:
        if name in here:
            if st.query_params.get(name) != here[name]:
                st.query_params[name] = here[name]
        elif name in st.query_params:
            del st.query_params[name]


def clear_filters() -> None:
    """Set every filter to what finds all."""
    for name in FILTERS:
        st.session_state[key_of(name)] = _value(name, None)


def open_title() -> int | None:
    """Return the number of the title that the address opens; 0 for what is no number."""
    asked = st.query_params.get(OPEN)
    if asked is None:
        return None
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 19 else 0


def _text(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _value(name: str, text: str | None) -> object:
    """Read the value of a filter; what no option can be is no filter."""
    if name == "text":
        return text or ""
    if name == "order":
        return text if text in ORDERS else ORDERS[0]
    if text is None:
        return None
    if name == "batch":
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
    if name == "chain":
        return {"yes": True, "no": False}.get(text)
    known = {"status": STATUSES, "category": session.scheme().names}.get(name)
    return text if known is None or text in known else None
