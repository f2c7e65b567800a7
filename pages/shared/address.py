"""Keep the filters of a page in the address, so that a link opens the same view.

Not bound by Streamlit, which would write the names of options there in the reader's language. Knows no page.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import streamlit as st

Read = Callable[[str], object]
"""Reads the value of a filter from the address; None for what no option can be."""


@dataclass(frozen=True, kw_only=True)
class Filters:
    """The filters of a page: the name of each in the address, how its text is read, what parts several."""

    page: str
    readers: Mapping[str, Read]
    separator: str = ","

    def key(self, name: str) -> str:
        """Return the key of a filter's widget."""
        return f"choose-{self.page}-{name}"

    def value(self, name: str) -> object:
        """Return what a filter is set to; None for all."""
        return st.session_state.get(self.key(name)) or None

    def read(self) -> None:
        """Set the filters to those of the address, where it is not this page that wrote them.

        Who comes back by the menu, whose links name no filter, finds the filters as they were.
        """
        here = {name: st.query_params[name] for name in self.readers if name in st.query_params}
        written: Mapping[str, str] | None = st.session_state.get(self._written)
        if written is not None and here in ({}, written):
            here = dict(written)
        for name, read in self.readers.items():
            key = self.key(name)
            if written is None or here != written or key not in st.session_state:
                st.session_state[key] = read(here[name]) if name in here else None

    def write(self) -> None:
        """Write the filters that are set into the address."""
        here = {name: self._text(value) for name in self.readers if (value := self.value(name))}
        st.session_state[self._written] = here
        for name in self.readers:
            if name in here:
                if st.query_params.get(name) != here[name]:
                    st.query_params[name] = here[name]
            elif name in st.query_params:
                del st.query_params[name]

    def clear(self) -> None:
        """Set every filter to what finds all."""
        for name in self.readers:
            st.session_state[self.key(name)] = None

    def open(self, **values: object) -> None:
        """Set these filters and no others, in the widgets and in the address; for a callback."""
        self.clear()
        for name, value in values.items():
            st.session_state[self.key(name)] = value
        self.write()

    @property
    def is_set(self) -> bool:
        """Whether any filter narrows the view."""
        return any(self.value(name) for name in self.readers)

    def _text(self, value: object) -> str:
        return self.separator.join(map(str, value)) if isinstance(value, list | tuple) else str(value)

    @property
    def _written(self) -> str:
        """Session key: what this page wrote into the address last."""
        return f"{self.page}-address"


def one_of(options: Collection[str]) -> Read:
    """Read one of these options."""
    return lambda text: text if text in options else None


def any_text(text: str) -> object:
    """Read whatever was typed."""
    return text or None


def several(text: str) -> object:
    """Read names parted by commas."""
    return [part for part in text.split(",") if part] or None
