"""`news-studio export`: the queue and the worker for real, and what is refused before them."""

import json

import pytest
from typer.testing import CliRunner

from studio import runs
from studio.cli._export import CAUSES, proof_line
from studio.cli.main import app
from studio.contract import Proof
from studio.language import current_language
from studio.workspace import open_workspace
from tests.support.tiny_runs import end_everything


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    yield folder
    end_everything(open_workspace(folder))


def export(home, *arguments):
    return CliRunner().invoke(app, ["export", "--home", str(home), *map(str, arguments)])


def test_the_recorded_run_is_exported_and_proven(home, tmp_path):
    recorded = next(run for run in runs.list_runs(open_workspace(home)) if run.recorded)
    done = export(home, recorded.id, tmp_path / "out", "--titles", 2, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["format"], report["quant"], report["run"]) == ("safetensors", "bf16", recorded.id)
    assert report["proof"]["proven"] and report["proof"]["same_category"] == 2
    assert (tmp_path / "out" / "model.safetensors").stat().st_size == report["files"]["model.safetensors"]
    assert export(home, recorded.id, tmp_path / "out").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none", "new"], "news-studio runs"),
        (["bundled", "new", "--format", "adapter"], "choose safetensors"),
        (["bundled", "new", "--quant", "q8_0"], "choose gguf"),
        (["bundled", "new", "--name", "../x"], "name"),
        (["bundled", "full"], "新的文件夹"),
    ],
)
def test_what_cannot_be_exported_is_one_message_and_queues_nothing(home, tmp_path, arguments, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    before = len(runs.list_jobs(open_workspace(home)))
    done = export(home, arguments[0], tmp_path / arguments[1], *arguments[2:])
    assert done.exit_code == 2 and message in done.stderr and "办法" in done.stderr
    assert len(runs.list_jobs(open_workspace(home))) == before and not (tmp_path / "new").exists()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("cause", ["", *CAUSES])
def test_every_proof_is_one_line(language, cause):
    before = current_language.set(language)
    try:
        proof = Proof(runtime="xllamacpp 1", proven=not cause, cause=cause, titles=10, same_category=9)
        line = proof_line(proof)
    finally:
        current_language.reset(before)
    assert "\n" not in line and ("9" in line) and (cause == "" or CAUSES[cause][language == "en"] in line)
