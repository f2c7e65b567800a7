"""`behaviour`, `calibrate` and `curve`: one JSON document each, and a sentence for what cannot be measured."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from studio import runs
from studio.cli._measuring import behaviour_document
from studio.cli.main import app
from studio.contract import CALIBRATION, Variant, VariantAnswer
from studio.evaluation.behaviour import compare_answers
from studio.evaluation.behaviour_runs import evaluated_rows
from studio.evaluation.scaling import Trained, forecast
from studio.evaluation.training_rows import labelled_rows
from studio.runs import Run
from studio.samples.scheme import load_scheme
from studio.training import scaling
from tests.support.workspaces import base_model, scored_run


@pytest.fixture
def run(workspace) -> Run:
    base_model(workspace.models / "small")
    return scored_run(workspace)


def invoke(*arguments: str):
    return CliRunner().invoke(app, [*arguments])


def with_probabilities(run: Run) -> None:
    """Give the direct answers probabilities that lean to the answer, more so where it is right."""
    names = load_scheme().names
    lines = []
    for line in (run.folder / "predictions.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["answer"] == "direct" and row["predicted"]:
            share = 0.9 if row["predicted"] == row["label"] else 0.5
            rest = (1 - share) / (len(names) - 1)
            row["probabilities"] = {name: share if name == row["predicted"] else rest for name in names}
        lines.append(json.dumps(row, ensure_ascii=False))
    more = []
    for copy in range(1, 4):
        for line in lines:
            row = json.loads(line)
            row |= {"row": row["row"] + 1000 * copy, "title": f"{row['title']} 第{copy}条另一件事"}
            more.append(json.dumps(row, ensure_ascii=False))
    (run.folder / "predictions.jsonl").write_text("\n".join([*lines, *more]) + "\n")


def test_behaviour_is_queued_and_printed(workspace, run):
    done = invoke("behaviour", run.id, "--limit", "5", "--json")
    found = json.loads(done.stdout)
    # The tiny worker answers nothing: there is a job and no rate.
    assert done.exit_code == 0 and found["changes"] == {} and found["run"] == run.id
    job = runs.get_job(workspace, found["job"])
    lines = (job.folder / "variants.jsonl").read_text().splitlines()
    made = [Variant.model_validate_json(line) for line in lines]
    answers = [
        VariantAnswer(
            row=x.row, test=x.test, predicted="国际" if x.test == "prefix" else "体育", probability=1
        )
        for x in made
    ]
    document = behaviour_document(compare_answers(evaluated_rows(run), made, answers))
    assert document["changes"]["prefix"]["flips"] == 5 and document["changes"]["suffix"]["flips"] == 0
    assert {flip["change"] for flip in document["flips"]} == {"prefix"}


def test_a_calibration_is_printed_and_its_threshold_stored_and_cleared(run):
    with_probabilities(run)
    found = json.loads(invoke("calibrate", run.id, "--json").stdout)
    assert found["threshold"] is None and found["coverage"][0]["coverage"] == 1
    found = json.loads(invoke("calibrate", run.id, "--threshold", "0.7", "--json").stdout)
    assert found["threshold"]["threshold"] == 0.7 and (run.folder / CALIBRATION).exists()
    shown = invoke("calibrate", run.id)
    assert shown.exit_code == 0 and "已选的门槛" in shown.stdout
    assert json.loads(invoke("calibrate", run.id, "--clear", "--json").stdout)["threshold"] is None


def test_what_has_no_probabilities_cannot_be_calibrated(run):
    done = invoke("calibrate", run.id)
    assert done.exit_code == 2 and "--answer direct" in done.stderr
    assert invoke("calibrate", "none").exit_code == invoke("curve", "none").exit_code == 2


def test_a_finished_curve_is_printed_and_not_trained_again(workspace, run):
    scheme = load_scheme()
    job = scaling.prepare_curve(workspace, run, scheme)
    for path in job.spec.runs:
        (Path(path) / "cancel").touch()
    rows = labelled_rows(run.spec.dataset_dir, run.spec.dataset, scheme).rows
    labels = {f"标题{i}": scheme.names[i % 10] for i in range(100)}
    trained = [
        Trained(
            rows=round(share * len(rows)),
            seed=seed,
            wrong={title: (place * 7 + seed) % 100 < 60 - 40 * share for place, title in enumerate(labels)},
        )
        for seed in range(3)
        for share in scaling.SHARES
    ]
    found = forecast(trained, labels, {name: 30 for name in scheme.names})
    (job.folder / "forecast.json").write_text(found.model_dump_json())
    member = Path(job.spec.runs[0])
    (member / "cancel").unlink()
    for name in ("result.json", "predictions.jsonl", "alive"):
        (member / name).write_bytes((run.folder / name).read_bytes())
    (job.folder / "alive").touch()
    (job.folder / "result.json").write_bytes((run.folder / "result.json").read_bytes())
    document = json.loads(invoke("curve", run.id, "--json").stdout)
    assert document["job"] == job.id and len(document["measured"]) == 4
    assert document["forecast"]["600"]["low"] <= document["forecast"]["600"]["value"]
    assert set(document["per_category"]) == set(scheme.names) and document["checks"] == []
    shown = invoke("curve", run.id)
    assert shown.exit_code == 0 and "推算" in shown.stdout and "体育" in shown.stdout
