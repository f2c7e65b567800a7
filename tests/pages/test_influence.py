"""The Evaluate page computes influences, shows the rows behind a wrong answer, and sends them back."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from studio import runs
from studio.cli.main import app as cli
from studio.contract import InfluenceFile, Result
from studio.corpus.titles import find_title
from studio.evaluation.feedback import send_training_rows_back
from studio.evaluation.influence_runs import Pusher, last_influence, prepare, wrong_answers
from studio.evaluation.training_rows import trained_rows
from studio.messages import message, stored
from studio.samples.scheme import load_scheme
from studio.store import open_store
from tests.support.pages import open_page
from tests.support.workspaces import fill

SCHEME = load_scheme()


@pytest.fixture
def db(workspace):
    return open_store(workspace.database)


@pytest.fixture
def run(db, workspace):
    return fill(db, workspace)


def finish(job, run, workspace):
    """Leave the result of a worker: row k pushed target t by k - t; the last row is the most suspected."""
    targets = wrong_answers(run)
    rows = [each.row for each in trained_rows(workspace, run, SCHEME).rows]
    pushed = np.subtract.outer(-np.arange(len(targets)), -np.arange(len(rows))).astype(np.float32)
    ramp = np.linspace(0, 1, len(rows), dtype=np.float32)
    with (job.folder / "influence.npz").open("wb") as file:
        np.savez(file, influence=pushed, suspicion=ramp, support=-ramp, loss=ramp)
    found = InfluenceFile(
        rows=rows, targets=targets, tokens="label", first_pass_steps=75, sketch_length=8, parameters=9
    )
    (job.folder / "influence.json").write_text(found.model_dump_json())
    (job.folder / "alive").touch()
    result = Result(status="done", seconds=1, peak_memory_gib=1)
    (job.folder / "result.json").write_text(result.model_dump_json())
    return rows


def test_influences_are_started_from_the_page(workspace, run):
    app = open_page("evaluate", evaluation=run.id, view="influence")
    app.button(key="influence-start").click().run()
    assert not app.exception and not app.error
    (job,) = [job for job in runs.list_jobs(workspace) if job.spec.kind == "influence"]
    targets = (job.folder / "targets.jsonl").read_text().splitlines()
    assert len(targets) == len(wrong_answers(run)) == 20
    assert job.spec.run == run.id and job.spec.adapter_name_or_path == run.folder / "checkpoints/step_000001"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_cell_shows_its_rows_and_a_press_queues_them(workspace, run, db, lang):
    rows = finish(prepare(workspace, run), run, workspace)
    app = open_page("evaluate", lang, evaluation=run.id, view="influence")
    assert not app.exception and not app.error
    boxes = [box for box in app.checkbox if str(box.key).startswith("row-cell-")]
    assert 5 <= len(boxes) <= 10 and boxes[0].key.endswith(f"-{rows[-1]}")
    suspected = [box for box in app.checkbox if str(box.key).startswith("row-suspected-")]
    assert len(suspected) == 15 and suspected[0].key == f"row-suspected-{rows[-1]}"
    suspected[0].check().run()
    app.button(key="suspected-rows-back").click().run()
    assert not app.exception and app.success
    title = find_title(db, trained_rows(workspace, run, SCHEME).rows[-1].title)
    assert title.status == "waiting" and title.chain


def test_a_row_that_the_workspace_lacks_is_imported_for_training(tmp_path):
    db = open_store(tmp_path / "studio.db")
    row = Pusher(row=6, title="主队绝杀夺冠", category="娱乐", chain="看“绝杀”，归娱乐。", effect=1.0)
    reason = stored(message("label_contradicted", run="first"))
    for _ in range(2):
        sent = send_training_rows_back(db, [row], reason=reason, source="first", author="ann", scheme=SCHEME)
        assert sent == 1
    title = find_title(db, row.title)
    assert title.status == "waiting" and title.proposal == "娱乐" and "绝杀" in title.chain
    (split,) = db.execute("select split from imported_rows where title_id = ?", [title.id]).fetchone()
    assert split == "train"


def test_a_wrong_row_has_the_button_to_its_training_rows(workspace, run):
    finish(prepare(workspace, run), run, workspace)
    app = open_page("evaluate", evaluation=run.id, outcome="wrong", label="体育")
    button = next(each for each in app.button if str(each.key).startswith("taught-rows-"))
    button.click().run()
    assert not app.exception and not app.error
    assert len([box for box in app.checkbox if str(box.key).startswith("row-one-")]) >= 5


def test_a_damaged_result_is_said(workspace, run):
    job = prepare(workspace, run)
    finish(job, run, workspace)
    (job.folder / "influence.npz").write_bytes(b"PK no archive")
    app = open_page("evaluate", evaluation=run.id, view="influence")
    assert not app.exception and any("重新计算" in each.value for each in app.error)


def test_the_command_prints_what_the_page_shows(workspace, run):
    rows = finish(prepare(workspace, run), run, workspace)
    found = last_influence(workspace, run, SCHEME).result
    wrong = found.file.targets[0]

    def call(*words):
        done = CliRunner().invoke(cli, ["influence", run.id, *words, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    document = call()
    assert document["rows"] == len(rows) and document["suspected"][0]["row"] == rows[-1]
    assert len(document["suspected"]) == round(0.1 * len(rows))
    one = call("--row", str(wrong.row))
    assert one["for"][0]["row"] == rows[-1] and one["answers"][0]["title"] == wrong.title
    cell = call("--cell", wrong.label, wrong.predicted)
    assert {each["label"] for each in cell["answers"]} == {wrong.label}
    refused = CliRunner().invoke(cli, ["influence", run.id, "--row", "0", "--cell", "体育", "娱乐"])
    assert refused.exit_code == 2
    assert CliRunner().invoke(cli, ["influence", run.id, "--row", "99999"]).exit_code == 2
