"""Hand files over: uploads as paths, which is what studio reads, and numbers as downloads."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

_LONGEST_NAME, _LONGEST_SUFFIX = 200, 20
"""Bytes."""


@contextmanager
def uploaded_path(file: UploadedFile) -> Iterator[Path]:
    """Write an upload to a file of its own name, for as long as it is read."""
    with tempfile.TemporaryDirectory(prefix="news-studio-") as folder:
        path = Path(folder) / fitting_name(file.name)
        path.write_bytes(file.getbuffer())
        yield path


def fitting_name(name: str) -> str:
    """Return the last part of a name, shortened to what a file may be called; its suffix stays.

    Ninety Chinese characters are a name of 270 bytes, and 255 is the most.
    """
    name = name.replace("\\", "/").rpartition("/")[2].replace("\0", "")
    if name in ("", ".", ".."):
        return "_"
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix.encode("utf-8", "replace")) > _LONGEST_SUFFIX:
        stem, suffix = name, ""
    room = _LONGEST_NAME - len((dot + suffix).encode("utf-8", "replace")) if suffix else _LONGEST_NAME
    short = stem.encode("utf-8", "replace")[:room].decode("utf-8", "ignore")
    return f"{short}.{suffix}" if suffix else short


def download_buttons(name: str, as_csv: bytes, as_json: bytes) -> None:
    """Offer the same numbers as two files, named after what they are and the day."""
    with st.container(horizontal=True):
        for label, mime, content in (("CSV", "text/csv", as_csv), ("JSON", "application/json", as_json)):
            st.download_button(
                label,
                content,
                file_name=f"{name}_{date.today():%Y%m%d}.{label.lower()}",
                mime=mime,
                key=f"{name}-{label.lower()}",
                icon=":material/download:",
                on_click="ignore",
            )
