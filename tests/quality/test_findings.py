"""A scan in a background process; findings are answered once, and stay answered until something changes."""

import sqlite3
import subprocess
import sys

import pytest

from studio.corpus.titles import count_by_status, get_title
from studio.errors import StalePress
from studio.ingest.importer import import_path
from studio.quality import answers, findings
from studio.quality._scan import scan
from studio.workspace import BUNDLED_DATASET
from tests.support.doubtful_rows import ROWS, A, B, decide
from tests.support.samples import SCHEME, new_store, sample, write_json
from tests.support.tiny_runs import wait_until


@pytest.fixture
def opened(tmp_path):
    return new_store(tmp_path / "home")


@pytest.fixture
def db(opened):
    return opened[0]


@pytest.fixture
def scanned(opened, tmp_path):
    """Scan the small set of doubtful rows."""
    import_path(opened[0], write_json(tmp_path / "a.json", [sample(*row) for row in ROWS]), SCHEME)
    return scan(*opened, SCHEME)


def first(db, scanned, kind):
    return findings.open_findings(db, scanned, kind)[0]


def texts(db, finding):
    return [get_title(db, title_id).text for title_id in finding.titles]


def test_near_copies_are_found_by_what_they_agree_on(db, scanned):
    assert texts(db, first(db, scanned, "conflict")) == [A, f"{A}！快讯"]
    copies = [texts(db, finding) for finding in findings.open_findings(db, scanned, "near")]
    assert [B, f"{B}！快讯"] in copies
    assert scanned.found["conflict"] == 1


def test_problems_are_counted_by_code_with_their_titles(db, scanned):
    counted = scanned.problems["chain_contradicts"]
    assert (counted.severity, counted.count) == ("warning", 2)
    assert {get_title(db, title_id).category for title_id in counted.titles} == {"社会"}


def test_what_was_dismissed_does_not_come_back_with_the_next_scan(opened, db, scanned):
    answers.dismiss(db, first(db, scanned, "conflict"), author="li")
    assert findings.open_findings(db, scanned, "conflict") == []
    assert findings.open_findings(db, scan(*opened, SCHEME), "conflict") == []


def test_a_new_decision_brings_the_finding_back(opened, db, scanned):
    finding = first(db, scanned, "conflict")
    answers.accept(db, finding, author="li")
    decide(db, finding.titles[0], "健康")
    assert findings.open_findings(db, scanned, "conflict") == []
    assert len(findings.open_findings(db, scan(*opened, SCHEME), "conflict")) == 1


def test_relabelling_answers_for_the_whole_group(db, scanned):
    finding = first(db, scanned, "conflict")
    assert answers.relabel(db, finding, "社会", author="wang") == 1
    found = [get_title(db, title_id) for title_id in finding.titles]
    assert [(title.category, title.author) for title in found] == [("社会", "wang"), ("社会", "import")]
    assert findings.open_findings(db, scanned, "conflict") == []


def test_merging_puts_the_others_aside_with_the_reason(db, scanned):
    finding = first(db, scanned, "near")
    titles = [get_title(db, title_id) for title_id in finding.titles]
    keep = answers.best_to_keep(titles)
    assert answers.merge(db, finding, keep.id, author="li") == 1
    gone = get_title(db, next(title.id for title in titles if title is not keep))
    assert gone.status == "skipped" and keep.text in gone.note
    assert get_title(db, keep.id) == keep


def test_the_copy_with_a_chain_is_kept(db, scanned):
    finding = first(db, scanned, "near")
    decided = get_title(db, finding.titles[0])
    db.execute(
        "insert into decisions (title_id, follows, author, action, status, category)"
        " values (?, ?, 'li', 'annotate', 'decided', ?)",
        [decided.id, decided.revision, decided.category],
    )
    titles = [get_title(db, title_id) for title_id in finding.titles]
    assert answers.best_to_keep(titles).id == finding.titles[1]


@pytest.mark.parametrize(
    "answer",
    [
        lambda db, finding: answers.accept(db, finding, author="li"),
        lambda db, finding: answers.dismiss(db, finding, author="li"),
        lambda db, finding: answers.relabel(db, finding, "健康", author="li"),
        lambda db, finding: answers.merge(db, finding, finding.titles[0], author="li"),
    ],
)
def test_an_answer_about_a_title_decided_anew_changes_nothing(db, scanned, answer):
    finding = first(db, scanned, "conflict")
    decide(db, finding.titles[1], "健康")
    before = count_by_status(db), findings.current_revision(db)
    with pytest.raises(StalePress):
        answer(db, finding)
    assert (count_by_status(db), findings.current_revision(db)) == before
    assert db.execute("select count(*) from quality_verdicts").fetchone() == (0,)


def test_answers_cannot_be_rewritten(db, scanned):
    answers.accept(db, first(db, scanned, "near"), author="li")
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("delete from quality_verdicts")


def test_a_suspect_is_answered_like_the_others(opened, db, tmp_path):
    import_path(db, BUNDLED_DATASET, SCHEME)
    scanned = scan(*opened, SCHEME)
    finding = first(db, scanned, "suspect")
    title = get_title(db, finding.titles[0])
    assert finding.evidence.given == title.category
    answers.relabel(db, finding, finding.evidence.suggested, author="li")
    assert get_title(db, title.id).category == finding.evidence.suggested
    assert finding not in findings.open_findings(db, scanned, "suspect")


def test_a_scan_runs_beside_the_web_app(opened, db):
    workspace = opened[1]
    import_path(db, BUNDLED_DATASET, SCHEME)
    assert findings.look(db, workspace).last is None
    findings.start_scan(workspace)
    wait_until(lambda: findings.look(db, workspace).running is None, seconds=120)
    now = findings.look(db, workspace)
    assert now.last.titles == 400 and now.behind == 0, now.log
    decide(db, 1, "社会")
    assert findings.look(db, workspace).behind == 1


def test_only_one_scan_runs_at_a_time(opened):
    workspace = opened[1]
    with findings.scan_process(workspace).held(None) as lock:
        assert lock is not None
        findings.start_scan(workspace)
        done = subprocess.run(
            [sys.executable, "-m", "studio.quality._scan", str(workspace.home)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0 and "runs already" in done.stderr
    assert not findings.result_path(workspace).exists()


def test_an_empty_workspace_scans_to_nothing(opened):
    scanned = scan(*opened, SCHEME)
    assert (scanned.titles, scanned.findings, scanned.problems) == (0, (), {})


@pytest.mark.parametrize("content", ["", "{", '{"format_version": 9}'])
def test_a_result_that_cannot_be_read_is_no_result(opened, content):
    findings.result_path(opened[1]).write_text(content)
    assert findings.look(*opened).last is None


def test_the_web_app_does_not_load_what_the_scan_needs(tmp_path):
    heavy = "sklearn cleanlab statsmodels scipy torch"
    modules = "quality.findings quality.answers quality.coverage training.token_preview"
    imports = ", ".join(f"studio.{module}" for module in modules.split())
    code = f"import sys, {imports}; print([m for m in {heavy.split()!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
