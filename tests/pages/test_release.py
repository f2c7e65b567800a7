"""The Release page: the gate before the score, lines with numbers, a signature, and one press back."""

import pytest

from studio import runs
from studio.gate.evidence import list_openings
from studio.gate.gates import list_gates, save_gate
from studio.gate.judging import judgements
from studio.gate.releasing import release
from studio.models.default_model import default_model
from studio.releases.records import current_release, list_releases
from studio.store import open_store
from studio.team import people
from tests.support.candidates import CHECKPOINT, answer_sealed, candidate, frozen
from tests.support.pages import open_page


@pytest.fixture
def db(workspace, monkeypatch):
    monkeypatch.setenv("STUDIO_JOBS_DEVICES", "[]")
    return open_store(workspace.database)


@pytest.fixture
def version(db, workspace):
    return frozen(db, workspace, sealed_share=0.2)


def texts(app, kinds=("markdown", "caption", "success", "warning", "error", "info", "subheader")):
    return "\n".join(element.value for kind in kinds for element in app.get(kind)).replace("\\", "")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_from_the_gate_to_the_release_and_back(db, workspace, version, lang):
    old = candidate(workspace, version, lambda row: row % 4 != 0, label="old")
    release(db, workspace, old.id, name="first", signed_by="li", author="li")
    app = open_page("release", lang)
    app.number_input(key="gate-accuracy").set_value(60.0)
    app.number_input(key="gate-sealed").set_value(50.0)
    app.button(key="gate-save").click().run()
    assert not app.exception
    (gate,) = list_gates(db)
    assert (gate.rule.accuracy, gate.rule.sealed, gate.rule.not_worse, gate.author) == (0.6, 0.5, True, "ann")
    new = candidate(workspace, version, label="**new**")
    app = open_page("release", lang, run=new.id)
    assert app.selectbox(key="choose-release-candidate").value == new.id
    app.button(key="gate-judge").click().run()
    assert {"zh": "1 条没有测", "en": "lines not measured 1 of 3"}[lang] in texts(app)
    app.text_input(key="sealed-reason").set_value("last check")
    app.button(key="sealed-open").click().run()
    assert not app.exception and not app.error
    (opening,) = list_openings(db)
    answer_sealed(runs.get_job(workspace, opening.job), lambda row: row % 5 != 0)
    app = open_page("release", lang, run=new.id)
    app.button(key="gate-judge").click().run()
    assert {"zh": "可以发布", "en": "Ready to ship"}[lang] in texts(app)
    assert "80.0%" in texts(app) and len(judgements(db)) == 2
    app.text_input(key="release-name").set_value("second")
    app.button(key="release-now").click().run()
    assert not app.exception and not app.error
    made = current_release(workspace)
    assert (made.release.name, made.release.run, made.release.signed_by) == ("second", new.id, "ann")
    assert default_model(workspace) == new.id
    app.button(key="release-back").click().run()
    assert current_release(workspace).release.name == "first" and not app.exception
    app.button(key="release-use-2").click().run()
    assert current_release(workspace).release.name == "second"


def test_a_candidate_that_failed_is_released_only_with_a_reason(db, workspace, version):
    save_gate(db, workspace, dataset="news", author="li", accuracy=0.95)
    run = candidate(workspace, version)
    app = open_page("release", run=run.id)
    app.button(key="release-now").click().run()
    assert "没过" in texts(app) and list_releases(db) == [] and not app.exception
    app.text_input(key="release-despite").set_value("线上的 *更* 差")
    app.button(key="release-now").click().run()
    assert current_release(workspace).release.despite == "线上的 *更* 差"
    assert "线上的 *更* 差" in texts(app)


def test_what_is_missing_is_measured_from_here(db, workspace, version):
    save_gate(db, workspace, dataset="news", author="li", accuracy=0.5, quotes=0.9)
    run = candidate(workspace, version, modes=())
    app = open_page("release", run=run.id)
    app.button(key="gate-judge").click().run()
    app.button(key=f"gate-measure-direct-{run.id}").click().run()
    assert not app.exception and not app.error
    newest = runs.list_runs(workspace)[0]
    assert (newest.spec.kind, newest.spec.run, newest.version) == ("evaluate", run.id, "news@1")
    app.button(key=f"gate-measure-chain-{run.id}").click().run()
    assert any("正在评估" in toast.value for toast in app.toast)


def test_a_gate_that_came_late_is_marked(db, workspace, version):
    run = candidate(workspace, version)
    save_gate(db, workspace, dataset="news", author="li", accuracy=0.5)
    app = open_page("release", run=run.id)
    app.button(key="gate-judge").click().run()
    assert "之后才存的" in texts(app)
    assert app.text_input(key="release-despite").label == "仍要发布的原因"


def test_a_reviewer_reads_and_cannot_release(db, workspace, version):
    people.sign_in(db, "boss")
    people.register(db, "rita", role="reviewer")
    run = candidate(workspace, version)
    release(db, workspace, run.id, signed_by="boss", author="boss")
    release(db, workspace, candidate(workspace, version).id, signed_by="boss", author="boss")
    app = open_page("release", annotator="rita")
    assert not app.exception and "分析员或管理员" in texts(app)
    keys = {str(button.key) for button in app.button}
    assert not keys & {"release-back", "release-now", "gate-save", "gate-judge", "release-use-1"}


def test_changed_weights_and_a_changed_ledger_are_said(db, workspace, version):
    run = candidate(workspace, version)
    release(db, workspace, run.id, signed_by="li", author="li")
    (run.folder / CHECKPOINT / "name.json").write_text("other")
    app = open_page("release")
    assert "与签发时不同" in app.error[0].value and not app.exception
    db.execute("drop trigger ledger_no_update")
    db.execute("update ledger set author = 'x' where id = 1")
    app = open_page("release")
    assert "从第 1 条起被改动过" in app.error[0].value


def test_lineage_opens_with_commands(db, workspace, version):
    run = candidate(workspace, version)
    app = open_page("release", run=run.id)
    assert not app.code
    app.session_state["release-lineage"] = True
    app.run()
    assert not app.exception
    assert "news-studio freeze news --eval-share 0.4 --sealed-share 0.2" in [each.value for each in app.code]
    assert version.sha256 in texts(app)


def test_classify_offers_the_release_first_and_what_only_tried_something_not_at_all(db, workspace, version):
    old, new = candidate(workspace, version, label="旧"), candidate(workspace, version, label="新")
    smoke = candidate(workspace, version, label="试", max_steps=30)
    release(db, workspace, old.id, name="一", signed_by="ann", author="ann")
    app = open_page("try_it")
    box = app.selectbox(key="choose-try-model")
    assert box.value == old.id and box.options[0] == "已发布：一"
    assert any(option.startswith("候选：新") for option in box.options)
    assert not any("试 ·" in option for option in box.options)
    assert not [button for button in app.button if button.key == "make-default-model"]
    release(db, workspace, new.id, name="二", signed_by="ann", author="ann")
    box = open_page("try_it").selectbox(key="choose-try-model")
    assert box.options[:2] == ["已发布：二", "以前发布的：一"]
    asked = open_page("try_it", run=smoke.id).selectbox(key="choose-try-model")
    assert asked.value == smoke.id and any(option.startswith("试跑：试") for option in asked.options)
