"""Measure how long a title was on screen before it was answered."""

import time

import streamlit as st

from studio.corpus.titles import Title
from studio.store import Store
from studio.team.settings import load_settings


def start(page: str, title: Title) -> None:
    """Start the clock of a title when it comes on screen; drawing it again leaves the clock running."""
    shown = st.session_state.get(_key(page))
    if shown is None or shown[:2] != (title.id, title.revision):
        st.session_state[_key(page)] = (title.id, title.revision, time.monotonic())


def active_seconds(page: str, db: Store, title_id: int, revision: int) -> float | None:
    """Return how long a title has been on screen, at most the longest pause that the settings count.

    None where another title, or another revision of it, is on screen.
    """
    shown = st.session_state.get(_key(page))
    if shown is None or shown[:2] != (title_id, revision):
        return None
    return min(time.monotonic() - float(shown[2]), load_settings(db).idle_seconds)


def _key(page: str) -> str:
    return f"shown-{page}"
