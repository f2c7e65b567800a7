"""Offer the annotations as a download: who answered what, when, from which suggestion, how fast."""

import tempfile
from contextlib import closing
from datetime import date
from functools import partial
from pathlib import Path

import streamlit as st

from pages.shared import session
from studio.annotation.annotation_files import FORMS, AnnotationForm, rows_for, write_annotations
from studio.language import Language, current_language, say
from studio.store import open_store


def annotations_download() -> None:
    """Draw one button for each form; the file is made when it is asked for."""
    person = session.person()
    st.caption(
        say(
            "您的标注记录：时间、用时、当时的建议，撤销的也在内。",
            "Your annotations: when, in how many seconds, from which suggestion; retracted ones included.",
        )
        if person.role == "annotator"
        else say(
            "所有人的标注记录：谁、何时、用时、当时的建议，撤销的也在内。",
            "Everybody's annotations: who, when, in how many seconds, from which suggestion; retracted ones "
            "included.",
        )
    )
    database, language = session.workspace().database, current_language.get()
    with st.container(horizontal=True, gap="small"):
        for form in FORMS:
            st.download_button(
                form.upper() if form != "parquet" else "Parquet",
                partial(_file, database, person.name, form, language),
                file_name=f"annotations_{date.today():%Y%m%d}.{form}",
                mime="application/octet-stream",
                key=f"annotations-{form}",
                on_click="ignore",
            )


def _file(database: Path, name: str, form: AnnotationForm, language: Language) -> bytes:
    """Write the file; in a thread that knows nothing of the session."""
    current_language.set(language)
    with tempfile.TemporaryDirectory(prefix="news-studio-") as folder, closing(open_store(database)) as db:
        path = Path(folder) / f"annotations.{form}"
        write_annotations(path, rows_for(db, name))
        return path.read_bytes()
