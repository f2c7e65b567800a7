"""From the hub to a trained adapter on the command line: the bundled model, downloaded and used."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from studio.cli.main import app as cli
from studio.workspace import BUNDLED_MODEL, open_workspace
from tests.support.tiny_hub import Hub
from tests.support.tiny_runs import end_everything


@pytest.fixture
def home(tmp_path):
    place = open_workspace(tmp_path / "home")
    yield ["--home", str(place.home)]
    end_everything(place)


@pytest.fixture
def hub():
    server = Hub({"news/tiny": BUNDLED_MODEL})
    yield server
    server.close()


def asked(home, *command):
    return CliRunner().invoke(cli, [*command, *home, "--json"])


@pytest.mark.slow
def test_a_downloaded_model_passes_the_check_and_is_trained(home, hub):
    drops = iter(["drop:9000000", "drop:4000000"])
    hub.behave = lambda number, name, start: next(drops, "") if name == "model.safetensors" else ""
    loaded = asked(home, "models", "download", "news/tiny", "--endpoint", hub.url)
    assert loaded.exit_code == 0, loaded.stderr
    document = json.loads(loaded.stdout)
    assert (document["name"], document["ok"], document["files"]) == ("news/tiny", True, 7)
    checked = json.loads(asked(home, "models", "check", "news/tiny", "--hashes").stdout)
    assert (checked["ok"], len(checked["hashes"]["same"]), checked["hashes"]["bad"]) == (True, 7, 0)
    quick = ["max_steps=1", "evaluate_after=[]", "eval_dataset=null", "cutoff_len=160"]
    settings = [part for setting in quick for part in ("--set", setting)]
    trained = asked(home, "train", "--model", "news/tiny", *settings)
    assert trained.exit_code == 0, trained.stderr
    run = json.loads(trained.stdout)
    assert (Path(run["folder"]) / run["checkpoint"] / "adapter_config.json").exists()


def test_a_download_that_cannot_be_says_so_at_once(home, monkeypatch):
    monkeypatch.setenv("STUDIO_OFFLINE", "1")
    refused = asked(home, "models", "download", "news/tiny")
    assert (refused.exit_code, "离线" in refused.stderr) == (1, True)
    assert asked(home, "models", "download", "news").exit_code == 2
    assert json.loads(asked(home, "runs").stdout)[:-1] == []
