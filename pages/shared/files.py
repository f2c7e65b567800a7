"""Hand files over: uploads as paths, which is what studio reads, and numbers as downloads."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile


@contextmanager
def uploaded_path(file: UploadedFile) -> Iterator[Path]:
    """Write an upload to a file of its own name, for as long as it is read."""
    with tempfile.TemporaryDirectory(prefix="news-studio-") as folder:
        path = Path(folder) / Path(file.name).name
        path.write_bytes(file.getbuffer())
        yield path


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
