"""Freeze what a page allocates once out of garbage collection."""

import gc

import streamlit as st


@st.cache_resource(show_spinner=False)
def freeze(page: str) -> None:
    """Freeze what is there after a page was first drawn, the modules above all.

    Streamlit collects garbage after every run, each press included, over all there is. That took
    83 of the 97 milliseconds of a press. `page`: once for each, since each brings modules of its own.
    """
    gc.collect()
    gc.freeze()
