"""`news-studio evaluate --endpoint`: the queue, the worker and a server that speaks the protocol, for real."""

import json

import pytest
from typer.testing import CliRunner

from studio import runs
from studio.cli.main import app
from studio.workspace import open_workspace
from tests.support.tiny_runs import end_everything
from tests.support.tiny_teacher import Teacher


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    yield folder
    end_everything(open_workspace(folder))


@pytest.fixture(scope="module")
def teacher():
    server = Teacher(lambda number, body: "<think>\n“夺冠”是比赛。\n</think>\n\n体育")
    yield server
    server.close()


def evaluate(home, *arguments):
    return CliRunner().invoke(app, ["evaluate", "--home", str(home), *map(str, arguments)])


def test_a_model_at_an_endpoint_is_evaluated_and_named(home, teacher):
    done = evaluate(
        home, "--endpoint", teacher.url, "--endpoint-model", "qwen-max", "--limit", 10, "--json",
        "--endpoint-field", "top_k=1", "--endpoint-field", "enable_thinking=true",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    scores = json.loads(done.stdout)
    assert (scores["n"], scores["unparsed"]) == (10, 0)
    assert (scores["engine"]["model"], scores["engine"]["prompts"]) == ("qwen-max", "chat")
    body = teacher.requests[-1]["body"]
    assert (body["model"], body["top_k"], body["enable_thinking"], body["max_tokens"]) == (
        "qwen-max",
        1,
        True,
        2048,
    )
    spec = runs.get_run(open_workspace(home), scores["run"]).spec
    assert (spec.engine, spec.endpoint.key_file, spec.endpoint.key_env) == ("endpoint", None, None)
    listed = json.loads(CliRunner().invoke(app, ["runs", "--home", str(home), "--json"]).stdout)
    assert "qwen-max" in [entry["model"] for entry in listed]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--endpoint"),
        (["--endpoint", "not an address", "--endpoint-model", "m"], "https://"),
        (["--endpoint", "http://127.0.0.1:9/v1"], "model"),
        (["--endpoint", "http://127.0.0.1:9/v1", "--endpoint-model", "m", "--answer", "direct"], "chain"),
        (["--endpoint", "http://127.0.0.1:9/v1", "--endpoint-model", "m", "--endpoint-field", "top_k"], "="),
        (["--endpoint", "http://127.0.0.1:9/v1", "--endpoint-model", "m", "--endpoint-field", "n=2"], "n:"),
        (["none", "--endpoint", "http://127.0.0.1:9/v1", "--endpoint-model", "m"], "news-studio runs"),
    ],
)
def test_what_cannot_be_asked_is_one_message_and_queues_nothing(home, arguments, message):
    before = len(runs.list_runs(open_workspace(home)))
    done = evaluate(home, *arguments)
    assert done.exit_code == 2 and message in done.stderr and "办法" in done.stderr
    assert "Traceback" not in done.output
    assert len(runs.list_runs(open_workspace(home))) == before
