"""The Quality page: says what to do, shows one finding at a time, and every key does what it says."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared.problem_list import LIVE_TITLES
from studio.corpus.titles import count_by_status, get_title
from studio.datasets.versions import freeze
from studio.ingest.importer import import_path
from studio.quality import findings
from studio.quality._scan import scan
from studio.quality.coverage import rows_for_interval
from studio.store import open_store
from studio.workspace import BUNDLED_DATASET, open_workspace
from tests.support.doubtful_rows import ROWS, decide
from tests.support.samples import SCHEME, sample, write_json
from tests.support.tiny_runs import wait_until

APP = Path(__file__).parent.parent.parent / "studio" / "app.py"
TABS = {"suspect": "可疑标签", "conflict": "互相矛盾", "near": "近似重复", "problems": "思维链与格式"}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "home"))
    return open_workspace()


@pytest.fixture
def db(workspace):
    return open_store(workspace.database)


@pytest.fixture
def scanned(db, workspace, tmp_path):
    import_path(db, BUNDLED_DATASET, SCHEME)
    import_path(db, write_json(tmp_path / "a.json", [sample(*row) for row in ROWS]), SCHEME)
    freeze(db, workspace, "news", author="li", scheme=SCHEME, accept_warnings=True)
    return scan(db, workspace, SCHEME)


def open_page(tab=None, lang="zh"):
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.query_params["lang"] = lang
    app.query_params["annotator"] = "ann"
    app.run()
    if tab:
        app.session_state["quality_tab"] = TABS[tab]
    return app.switch_page("../pages/quality.py").run()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_an_empty_page_says_what_to_do(workspace, lang):
    app = open_page(lang=lang)
    assert not app.exception
    assert app.info
    assert app.button(key="quality-scan")


def test_the_scan_button_scans(workspace, db):
    import_path(db, BUNDLED_DATASET, SCHEME)
    app = open_page()
    app.button(key="quality-scan").click().run()
    wait_until(lambda: findings.look(db, workspace).last is not None, seconds=120)
    wait_until(lambda: findings.look(db, workspace).running is None, seconds=120)
    assert any("400 条" in element.value for element in app.run().caption)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_coverage_says_which_category_lacks_rows(scanned, lang):
    app = open_page(lang=lang)
    assert "**60**" in app.markdown[0].value
    assert "news@1" in app.markdown[0].value.replace("\\", "").replace("\u2060", "")
    app.number_input(key="coverage-width").set_value(5).run()
    assert f"**{rows_for_interval(0.05, 0.8)}**" in app.markdown[0].value
    assert not app.exception


def key_of(db, scanned, kind):
    return findings.open_findings(db, scanned, kind)[0]


@pytest.mark.parametrize("kind", ["suspect", "conflict", "near"])
def test_a_finding_can_be_dismissed_and_stays_away(db, scanned, kind):
    finding = key_of(db, scanned, kind)
    app = open_page(kind)
    app.button(key=f"quality-D-{finding.key}").click().run()
    assert finding not in findings.open_findings(db, scanned, kind)
    assert not app.exception
    assert not app.error


def test_x_takes_the_suggestion(db, scanned):
    finding = key_of(db, scanned, "suspect")
    app = open_page("suspect")
    app.button(key=f"quality-X-{finding.key}").click().run()
    title = get_title(db, finding.titles[0])
    assert (title.category, title.author) == (finding.evidence.suggested, "ann")


def test_what_is_clear_is_shown_first_and_no_change_is_highlighted(db, scanned):
    found = findings.open_findings(db, scanned, "suspect")
    clear = [finding for finding in found if finding.is_clear]
    assert 0 < len(clear) < len(found)
    app = open_page("suspect")
    assert any(f"共 {len(clear)} 条" in each.value for each in app.caption)
    assert any("本来就是对的" in each.value for each in app.markdown)
    keys = [str(button.key) for button in app.button if str(button.key).startswith("quality-")]
    ours = [key for key in keys if key.endswith(clear[0].key)]
    assert [key.split("-")[1] for key in ours[:2]] == ["A", "X"]
    assert {app.button(key=key).proto.type for key in ours} == {"secondary"}
    app.toggle(key="choose-unclear-suspects").set_value(True).run()
    assert any(f"共 {len(found)} 条" in each.value for each in app.caption)
    app.button(key=f"quality-A-{found[0].key}").click().run()
    assert any("1 条标签正确" in each.value for each in app.caption)


def test_a_digit_decides_all_titles_of_a_contradiction(db, scanned):
    finding = key_of(db, scanned, "conflict")
    app = open_page("conflict")
    digit = SCHEME.category("体育").key
    app.button(key=f"quality-digit-{digit}-{finding.key}").click().run()
    assert {get_title(db, title_id).category for title_id in finding.titles} == {"体育"}


def test_m_keeps_one_and_puts_the_others_aside(db, scanned):
    finding = key_of(db, scanned, "near")
    app = open_page("near")
    app.button(key=f"quality-M-{finding.key}").click().run()
    assert count_by_status(db)["skipped"] == len(finding.titles) - 1
    assert "已合并" in app.toast[0].value


def test_n_leaves_it_for_later(db, scanned):
    finding = key_of(db, scanned, "suspect")
    app = open_page("suspect")
    app.button(key=f"quality-N-{finding.key}").click().run()
    assert not [button for button in app.button if button.key == f"quality-N-{finding.key}"]
    assert finding in findings.open_findings(db, scanned, "suspect")


def test_a_press_for_what_was_decided_meanwhile_is_said(db, scanned):
    finding = key_of(db, scanned, "conflict")
    app = open_page("conflict")
    decide(db, finding.titles[0], "健康")
    app.button(key=f"quality-A-{finding.key}").click().run()
    assert "没有生效" in app.toast[0].value
    assert db.execute("select count(*) from quality_verdicts").fetchone() == (0,)


@pytest.fixture
def many(db, workspace, tmp_path):
    """More titles than a page looks at while it is drawn; the last ones argue for another category."""
    titles = [f"{number * 7919}号线路今晨通车" for number in range(LIVE_TITLES + 1)]
    rows = [sample(title, "体育" if number < LIVE_TITLES else "社会") for number, title in enumerate(titles)]
    import_path(db, write_json(tmp_path / "many.json", rows), SCHEME)


def test_many_titles_are_listed_from_the_scan(db, workspace, many):
    app = open_page("problems")
    assert not [element for element in app.expander if "矛盾" in element.label]
    scan(db, workspace, SCHEME)
    app = open_page("problems")
    app.session_state["problems-chain_contradicts"] = True
    app.run()
    assert not app.exception
    shown = "\n".join(element.value for element in app.markdown)
    assert "思维链最后落在" in shown
    assert str(LIVE_TITLES * 7919) in shown
