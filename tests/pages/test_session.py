"""What a page run shares: one connection for all of it, and the person and the scheme behind it."""

import shutil
from contextlib import closing

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import session
from studio.ingest.importer import import_text
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.workspace import open_workspace
from tests.support.pages import open_page


@pytest.fixture
def waiting(workspace):
    with closing(open_store(open_workspace().database)) as db:
        import_text(db, "一条新闻标题\n另一条新闻标题\n", load_scheme())


@pytest.fixture
def opened(monkeypatch):
    """The paths that pages opened a connection on, in their order."""
    paths = []

    def counted(path):
        paths.append(path)
        return open_store(path)

    monkeypatch.setattr(session, "open_store", counted)
    return paths


@pytest.mark.parametrize("page", ["label", "review"])
def test_a_page_run_opens_the_database_once(waiting, opened, page):
    app = open_page(page)
    opened.clear()
    app.run()
    assert len(opened) == 1 and not app.exception


def test_a_press_and_the_run_that_follows_share_their_connection(waiting, opened):
    app = open_page("label")
    digit = next(button for button in app.button if str(button.key).startswith("digit-1-"))
    opened.clear()
    digit.click().run()
    assert len(opened) == 1 and not app.exception


def test_a_database_that_was_put_back_meanwhile_is_opened_anew(waiting, tmp_path):
    database = open_workspace().database
    backup = tmp_path / "backup.db"
    with closing(open_store(database)) as db:
        db.execute("vacuum into ?", [str(backup)])
        db.execute("insert into people (name, role, color, created_at) values ('li', 'admin', '#123456', '')")
        db.conn.commit()

    def page(database: str, backup: str) -> None:
        from pathlib import Path

        import streamlit as st

        from pages.shared import session
        from studio.team.people import list_people

        first = session.store()
        assert session.store() is first and [each.name for each in list_people(first)] == ["li"]
        Path(backup).replace(database)
        for log in ("-wal", "-shm"):
            Path(database + log).unlink(missing_ok=True)
        st.text([each.name for each in list_people(session.store())])

    app = AppTest.from_function(page, args=(str(database), str(shutil.copy(backup, f"{database}.new"))))
    assert app.run().text[0].value == "[]" and not app.exception


def test_a_thread_of_no_session_gets_a_connection_of_its_own(workspace):
    with closing(session.store()) as one, closing(session.store()) as other:
        assert one is not other
