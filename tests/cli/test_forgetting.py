"""`news-studio forgetting`: one JSON document, exit code 1 for a loss, and a sentence for what cannot be probed."""

import json

import pytest
from typer.testing import CliRunner

from studio import runs
from studio.cli._forgetting import forgetting_document
from studio.cli.main import app
from tests.support.probes import finish_probe
from tests.support.workspaces import base_model, scored_run


@pytest.fixture
def run(workspace):
    base_model(workspace.models / "small")
    return scored_run(workspace)


def test_the_probe_of_a_run_is_queued_and_its_result_printed(workspace, run):
    # The tiny worker answers nothing; what is there is the probe of before.
    finish_probe(run, lost="arithmetic")
    done = CliRunner().invoke(app, ["forgetting", run.id, "--json"])
    found = json.loads(done.stdout)
    assert done.exit_code == 1 and found["verdict"] == "red"
    assert (found["kinds"]["arithmetic"]["lost"], len(found["lost"]), found["gained"]) == (60, 60, [])
    assert runs.get_job(workspace, found["job"]).state == "done"
    finish_probe(run)
    done = CliRunner().invoke(app, ["forgetting", run.id])
    assert done.exit_code == 0 and "没有发现遗忘" in done.stdout and "120" in done.stdout


def test_what_cannot_be_probed_is_a_sentence(workspace, run):
    for arguments, code in (
        (["none"], 2),
        (["sample_run"], 2),
        ([run.id, "--tasks", "/none"], 2),
        ([run.id], 1),
    ):
        done = CliRunner().invoke(app, ["forgetting", *arguments])
        assert done.exit_code == code and "办法" in done.stderr, arguments


def test_the_document_names_every_item_that_changed(run):
    document = forgetting_document(finish_probe(run, lost="knowledge"))
    assert {item["kind"] for item in document["lost"]} == {"knowledge"} and document["all"]["lost"] == 120
