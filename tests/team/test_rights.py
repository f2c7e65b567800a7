"""Every service that changes what belongs to others asks for the right itself, whatever a page shows."""

import itertools
from pathlib import Path

import pytest

from studio import runs
from studio.annotation import annotations, bulk_edits, history, queue_order, requeue, review
from studio.classification import jobs as classification
from studio.contract import Prediction
from studio.corpus.titles import count_by_status, get_title
from studio.datasets import freeze_process, versions
from studio.errors import NotAllowed, StudioError
from studio.evaluation import behaviour_runs, error_actions, refusal
from studio.evaluation.feedback import send_predictions_back
from studio.evaluation.forgetting import probe_jobs
from studio.gate import releasing
from studio.gate.gates import save_gate
from studio.gate.judging import judge_and_record
from studio.gate.sealed_evaluation import open_sealed
from studio.ingest import plain_texts
from studio.ingest.check_session import send_to_queue
from studio.ingest.import_batches import undo_import
from studio.ingest.importer import import_path, import_text
from studio.jobs import queue
from studio.modelfiles import settings as model_settings
from studio.models import downloads, unsafe_allowlist
from studio.quality import answers
from studio.quality.findings import Finding
from studio.releases.records import put_back, put_in_force
from studio.runs import ANY_DEVICE
from studio.serving import servers
from studio.store import open_store
from studio.teacher import keys as teacher_keys
from studio.teacher import runs as teacher_runs
from studio.team import gold, people, rights
from studio.team.people import ROLES
from studio.team.settings import LabelSettings, save_settings
from studio.workspace import BUNDLED_DATASET
from tests.support.pages import open_page
from tests.support.samples import SCHEME
from tests.support.tiny_runs import tiny_run

PEOPLE = {"boss": "admin", "anna": "annotator", "rita": "reviewer", "alan": "analyst"}
HERE = Path("/nowhere")


@pytest.fixture
def db(workspace):
    opened = open_store(workspace.database)
    for name in PEOPLE:
        people.sign_in(opened, name)
    for name, role in PEOPLE.items():
        people.change_person(opened, name, by="boss", role=role)
    import_text(opened, "央行宣布降息\n女排逆转夺冠\n孩子发烧怎么办", SCHEME, author="boss")
    first = get_title(opened, 1)
    annotations.annotate(opened, 1, category="经济", author="boss", seen_revision=first.revision)
    return opened


def who(role):
    return next(name for name, each in PEOPLE.items() if each == role)


def prediction():
    return Prediction(
        row=1,
        title="新题",
        label="经济",
        label_chain="",
        answer="direct",
        predicted=None,
        text="",
        chain=None,
    )


def reported(db):
    title = get_title(db, 1)
    return requeue.WrongReport(title=title, revision=title.revision, wanted=1)


def recorded(at):
    return runs.get_run(at, "sample_run")


def finding(db):
    decision = get_title(db, 1).decision_id
    return Finding(kind="suspect", titles=(1,), decisions=(decision,))


BY_AUTHOR = {
    "undo_import": [lambda db, at, by: undo_import(db, 1, by)],
    "send_check_to_queue": [lambda db, at, by: send_to_queue(db, HERE, SCHEME, {}, source="x", author=by)],
    "review": [
        lambda db, at, by: review.decide(db, 1, category="经济", chain=None, author=by, seen_revision=1),
        lambda db, at, by: review.undo(db, author=by, settings=LabelSettings()),
    ],
    "restore_decision": [lambda db, at, by: history.restore(db, 1, 1, author=by, seen_revision=2)],
    "edit_many": [
        lambda db, at, by: bulk_edits.trash(db, {1: 2}, author=by),
        lambda db, at, by: bulk_edits.relabel(db, {1: 2}, category="社会", author=by),
        lambda db, at, by: bulk_edits.tag(db, [1], "x", author=by),
        lambda db, at, by: bulk_edits.take_from_trash(db, {1: 2}, author=by),
        lambda db, at, by: bulk_edits.undo_edit(db, 1, author=by),
    ],
    "mark_gold": [
        lambda db, at, by: gold.mark_gold(db, [1], author=by),
        lambda db, at, by: gold.unmark_gold(db, [1], author=by),
    ],
    "send_back": [
        lambda db, at, by: requeue.send_back(db, [1], reason="x", author=by),
        lambda db, at, by: requeue.add_wrong(db, "新题", None, by),
        lambda db, at, by: requeue.undo_wrong(db, reported(db), author=by),
        lambda db, at, by: send_predictions_back(db, [prediction()], run_name="r", author=by, scheme=SCHEME),
        lambda db, at, by: requeue.put_first(db, [1], reason="x", author=by),
        lambda db, at, by: error_actions.act(
            db, recorded(at), [prediction()], "boundary", None, author=by, scheme=SCHEME
        ),
    ],
    "answer_findings": [
        lambda db, at, by: answers.accept(db, finding(db), author=by),
        lambda db, at, by: answers.dismiss(db, finding(db), author=by),
        lambda db, at, by: answers.relabel(db, finding(db), "社会", author=by),
        lambda db, at, by: answers.merge(db, finding(db), 1, author=by),
    ],
    "freeze": [lambda db, at, by: versions.freeze(db, at, "news", author=by, scheme=SCHEME)],
    "allow_unsafe_models": [
        lambda db, at, by: unsafe_allowlist.allow_unsafe(db, at, HERE, by=by),
        lambda db, at, by: unsafe_allowlist.withdraw_unsafe(db, at, HERE, by=by),
    ],
    "change_settings": [
        lambda db, at, by: save_settings(db, LabelSettings(), author=by),
        lambda db, at, by: queue_order.change_settings(db, LabelSettings(), author=by),
    ],
    "change_people": [lambda db, at, by: people.change_person(db, "rita", by=by, role="reviewer")],
}
BY_AUTHOR |= {
    "save_gate": [lambda db, at, by: save_gate(db, at, dataset="bundled", author=by, accuracy=0.5)],
    "open_sealed": [lambda db, at, by: open_sealed(db, at, "news", "none", reason="x", author=by)],
    "release": [
        lambda db, at, by: releasing.release(db, at, "none", signed_by=by, author=by),
        lambda db, at, by: judge_and_record(
            db, at, save_gate(db, at, dataset="bundled", author="boss", accuracy=0.5), recorded(at), author=by
        ),
        lambda db, at, by: put_in_force(db, 9, author=by),
        lambda db, at, by: put_back(db, author=by),
    ],
}
BY_SESSION = {
    "freeze": [lambda at: freeze_process.freeze_apart(at, None)],
    "run_jobs": [
        lambda at: queue.submit(at, tiny_run(at)),
        lambda at: queue.resume(at, "none"),
        lambda at: queue.retry(at, "none"),
        lambda at: behaviour_runs.start(at, recorded(at), SCHEME),
        lambda at: classification.start(at, at.home, classification.classify_spec(at, "bundled"), SCHEME),
        lambda at: probe_jobs.start_probe(at, recorded(at)),
        lambda at: plain_texts.add_texts(at, "x", []),
        lambda at: plain_texts.add_pasted(at, "x", ""),
    ],
    "change_runs": [
        lambda at: runs.cancel(at, "none"),
        lambda at: runs.pause(at, "none"),
        lambda at: runs.discard(at, "none"),
        lambda at: runs.rename(at, "none", label="", note=""),
        lambda at: runs.delete(at, "none"),
        lambda at: runs.tag(at, "none", []),
        lambda at: refusal.choose_threshold(at, recorded(at), None, 0.5, author="x"),
        lambda at: refusal.forget_threshold(at, recorded(at), "direct"),
        lambda at: runs.restore(at, "none"),
        lambda at: runs.delete_for_good(at, "none"),
        lambda at: runs.move(at, "none", "first"),
        lambda at: queue.put_on(at, "none", ANY_DEVICE),
    ],
    "download_models": [
        lambda at: downloads.start(at, None),
        lambda at: downloads.pause(at, "none"),
        lambda at: downloads.discard(at, "none"),
    ],
    "choose_model_folders": [
        lambda at: model_settings.add_folder(at, "/nowhere"),
        lambda at: model_settings.remove_folder(at, HERE),
    ],
    "set_hub": [lambda at: model_settings.set_hub(at, endpoint=None, offline=False)],
    "serve_models": [lambda at: servers.ensure_server(at, model=HERE, name="x", command=["/no/program"])],
    "teacher_drafts": [
        lambda at: teacher_runs.start(None, at, None, [], SCHEME),
        lambda at: teacher_keys.save_key(at, "k", "https://h/v1"),
        lambda at: teacher_keys.remove_key(at, "https://h/v1"),
    ],
}


def test_the_table_has_every_right():
    assert set(rights.RIGHTS) == set(BY_AUTHOR) | set(BY_SESSION)


def is_allowed(action):
    """Whether the service goes past its check of the right; what it then says of its input is no matter."""
    try:
        action()
    except NotAllowed:
        return False
    except (StudioError, AssertionError, AttributeError, ValueError, OSError):
        return True
    return True


@pytest.mark.parametrize(("right", "role"), itertools.product(rights.RIGHTS, ROLES))
def test_every_right_by_every_role(db, workspace, monkeypatch, right, role):
    allowed = role in rights.RIGHTS[right]
    for action in BY_AUTHOR.get(right, ()):
        assert is_allowed(lambda action=action: action(db, workspace, who(role))) == allowed
    person = people.find_person(db, who(role))
    monkeypatch.setattr(rights, "_person_of_session", lambda: person)
    for service in BY_SESSION.get(right, ()):
        assert is_allowed(lambda service=service: service(workspace)) == allowed
    if not allowed:
        # Not under a borrowed name either.
        with pytest.raises(NotAllowed):
            rights.require_right(right, db, "boss")
        with rights.as_owner():
            rights.require_right(right, db, who(role))


def test_who_is_inactive_has_no_right(db):
    people.change_person(db, "rita", by="boss", is_active=False)
    with pytest.raises(NotAllowed, match="休息中"):
        rights.require_right("review", db, "rita")


def test_an_annotator_undoes_an_import_of_their_own_while_all_of_it_waits(db):
    mine = import_text(db, "第一条\n第二条", SCHEME, author="anna")
    assert undo_import(db, mine.batch_id, "anna").withdrawn == 2
    worked_on = import_text(db, "第三条\n第四条", SCHEME, author="anna")
    title = get_title(db, worked_on.batch_id + 3)
    annotations.annotate(db, title.id, category="社会", author="boss", seen_revision=title.revision)
    with pytest.raises(NotAllowed):
        undo_import(db, worked_on.batch_id, "anna")


def test_an_annotator_cannot_withdraw_decided_titles_from_the_page(db, workspace):
    batch = import_path(db, BUNDLED_DATASET, SCHEME, author="boss").batch_id
    before = count_by_status(db)
    app = open_page("home", annotator="anna")
    app.button(key=f"undo-batch-{batch}").click().run()
    assert not app.exception
    assert "审核员" in app.error[0].value
    assert count_by_status(db) == before
