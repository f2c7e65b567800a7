"""A workspace of an earlier studio in which everything has happened opens, whole, in the reader's language."""

import re
import sqlite3
from dataclasses import dataclass

import pytest
from sqlite_utils import Database

from pages.sections.evaluate.views import VIEWS
from studio.language import current_language
from studio.messages import parsed, shown
from studio.runs import list_jobs
from studio.store import open_store
from studio.workspace import BUNDLED_DATA, BUNDLED_DATASET, Workspace, open_workspace
from tests.support.classified_sheets import answer, answered, prepared
from tests.support.old_workspaces import unpack
from tests.support.pages import PAGES, open_page, words

CHINESE = re.compile(r"[\u3400-\u9fff]+")
TABLES = (
    "titles",
    "decisions",
    "annotations",
    "imported_rows",
    "refused_rows",
    "batches",
    "reviews",
    "steps",
    "versions",
)


@dataclass(frozen=True)
class Before:
    """What the database had before it was opened by today's studio."""

    counts: dict[str, int]
    triggers: dict[str, str]
    typed: list[str]


def triggers(db):
    """The guards and counters of a database, by name."""
    return dict(db.execute("select name, sql from sqlite_master where type = 'trigger'").fetchall())


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The workspace as it was, how many rows each table had, and what people had typed."""
    home = tmp_path_factory.mktemp("old") / "home"
    typed = unpack(home)
    db = Database(home / "studio.db")
    counts = {table: db.table(table).count for table in TABLES}
    before = Before(counts=counts, triggers=triggers(db), typed=typed)
    db.close()
    return Workspace(home=home), before


@pytest.fixture
def old(unpacked, monkeypatch):
    """The same as the workspace of the pages; what a page does to it stays for the next."""
    workspace, _ = unpacked
    monkeypatch.setenv("STUDIO_HOME", str(workspace.home))
    return open_workspace()


def notes(db):
    """Everything that was stored to be read: notes, reasons, sources."""
    columns = (
        ("decisions", "note"),
        ("annotations", "reason"),
        ("refused_rows", "reason"),
        ("batches", "source"),
    )
    return [
        text for table, column in columns for (text,) in db.execute(f"select {column} from {table}") if text
    ]


def test_nothing_is_lost_and_every_guard_is_back(old, unpacked):
    _, before = unpacked
    db = open_store(old.database)
    assert {table: db.table(table).count for table in TABLES} == before.counts
    assert triggers(db).items() >= before.triggers.items()
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute("update decisions set note = 'x'")


def test_what_the_studio_had_written_in_two_languages_is_codes_now(old, unpacked):
    db = open_store(old.database)
    stored = notes(db)
    known = "\n".join(unpacked[1].typed)
    names = (
        {run.id for run in list_jobs(old)}
        | {run.label for run in list_jobs(old)}
        | {"sample_run", "news_300"}
    )
    left = {text for text in stored if parsed(text) is None and text not in known and text not in names}
    assert left == set()
    found = {message.code for text in stored for message in parsed(text) or ()}
    assert found >= {
        "imported_rows_disagree", "unknown_category_near", "unknown_category_means", "think_unclosed",
        "think_repeated", "answer_empty", "title_too_long", "answers_differ", "import_undone",
        "model_answered", "model_unparsed", "run_answered", "run_unparsed", "near_copy_of", "role_order",
        "reason_no_title", "reason_skipped", "reason_unsure", "source_pasted", "source_wrong",
    }  # fmt: skip


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_over_it(old, name, lang):
    app = open_page(name, lang, annotator="li")
    assert not app.exception
    # Two pages show the newest run of their kind, which failed, with its reason.
    assert len(app.error) == (name in ("drafts", "evaluate"))


@pytest.fixture(scope="module")
def data(unpacked):
    """What people typed and files brought, which no page translates."""
    workspace, before = unpacked
    db = open_store(workspace.database)
    current_language.set("en")
    columns = [
        ("titles", "text"), ("decisions", "category"), ("decisions", "chain"), ("decisions", "proposal"),
        ("annotations", "chain"), ("tags", "name"),
    ]  # fmt: skip
    texts = [
        text
        for table, column in columns
        if table in db.table_names()
        for (text,) in db.execute(f"select distinct {column} from {table}")
        if text
    ]
    texts += [shown(text) for text in notes(db)] + before.typed
    texts += [tag for (tag,) in db.execute("select distinct tag from title_tags")]
    texts += [path.read_text(encoding="utf-8") for path in BUNDLED_DATA.glob("*.toml")]
    # A name or an ending that an earlier studio wrote as a sentence is read as it is, and so are logs.
    for name in ("run.json", "result.json", "log.txt", "predictions.jsonl"):
        texts += [file.read_text(encoding="utf-8") for file in workspace.runs.glob(f"*/{name}")]
    return "\n".join(texts)


@pytest.mark.parametrize("name", PAGES)
def test_an_english_reader_meets_no_chinese_but_data(old, data, name):
    app = open_page(name, "en", annotator="li")
    kinds = ("title", "caption", "subheader", "info", "success", "warning", "error", "markdown", "code")
    left = [text for text in CHINESE.findall(words(app, kinds=kinds)) if text not in data and text != "中文"]
    assert left == []


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_of_an_evaluation_opens_over_it_and_speaks_english(old, data, view):
    app = open_page("evaluate", "en", annotator="li", view=view)
    assert not app.exception and len(app.error) == 1
    kinds = ("caption", "info", "success", "warning", "markdown")
    near = (BUNDLED_DATASET / "train.json").read_text(encoding="utf-8")
    left = [text for text in CHINESE.findall(words(app, kinds=kinds)) if text not in data + near]
    assert set(left) <= {"中文", "快讯", "新华网"}


def test_the_sheets_of_the_classify_page_open_over_it_and_speak_english(old, data, tmp_path):
    (tmp_path / "morning.csv").write_text("title\nA storm makes landfall\nShares fall\n", encoding="utf-8")
    made = prepared(old, tmp_path / "morning.csv")
    answered(old, made, {0: answer(0, "社会"), 1: answer(1, None, problem="no answer")})
    app = open_page("try_it", "en", annotator="li", sheet=made.id)
    assert not app.exception and not app.error
    kinds = ("caption", "info", "success", "warning", "markdown")
    assert [text for text in CHINESE.findall(words(app, kinds=kinds)) if text not in data + "中文"] == []
    assert app.button(key="sheet-wrong-1").label == "Wrong?"
