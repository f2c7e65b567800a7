"""Uploaded files as paths: what studio reads is a file with a name, as on the command line."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamlit.runtime.uploaded_file_manager import UploadedFile


@contextmanager
def uploaded_path(file: UploadedFile) -> Iterator[Path]:
    """The upload in a file of its own name, for as long as it is read."""
    with tempfile.TemporaryDirectory(prefix="news-studio-") as folder:
        path = Path(folder) / Path(file.name).name
        path.write_bytes(file.getbuffer())
        yield path
