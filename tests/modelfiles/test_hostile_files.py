"""Whatever a file can raise while it is read is a finding about that file: nothing stops the list."""

import os
import random
import struct
import time
from contextlib import suppress

import pytest
from typer.testing import CliRunner

from studio import runs
from studio.cli.main import app
from studio.datasets.mixed_eval import entries, with_eval_of
from studio.errors import StudioError
from studio.modelfiles.folder_check import check_model
from studio.modelfiles.settings import load_model_settings, settings_file
from studio.models.catalog import locate_model, scan_models
from studio.samples.scheme import load_scheme
from studio.serving import servers
from studio.store import open_store
from studio.training.memory_fit import model_shape
from studio.training.settings_file import read_settings_file
from studio.training.spec_loading import build_train_spec, read_setting, read_spec_file
from studio.workspace import BUNDLED_DATASET
from tests.support.pages import open_page
from tests.support.workspaces import base_model, fill

DEEP = 100_000
HOSTILE = {
    "brackets": b"[" * DEEP,
    "closed brackets": b"[" * DEEP + b"]" * DEEP,
    "objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "text": b'"text"',
    "number": b"1e999",
    "digits": b'{"hidden_size": ' + b"9" * 5000 + b', "model_type": "qwen2"}',
    "infinite": b'{"hidden_size": 1e999, "model_type": "qwen2", "num_hidden_layers": -1e999}',
    "nan": b'{"hidden_size": NaN, "model_type": NaN, "architectures": NaN}',
    "half character": b'{"model_type": "\\ud800", "architectures": ["\\udfff"], "weight_map": {"\\ud800": "\\ud800"}}',
    "wrong types": b'{"model_type": [], "architectures": [[]], "hidden_size": {}, "weight_map": [1], "a": {}}',
    "null names": b'{"weight_map": {"a": "\\u0000", "b": "' + b"x" * 5000 + b'"}, "model_type": "\\u0000"}',
    "not utf-8": b"\xff\xfe\x00\xd8",
    "zeros": bytes(5000),
    "cut": b'{"model_type": "qwen2", "archi',
}
MODEL_FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "adapter_config.json",
    "chat_template.jinja",
    ".news-studio.json",
)
HEADERS = {
    **HOSTILE,
    "shape": b'{"a": {"dtype": "F32", "shape": [1e999], "data_offsets": [0, 4]}}',
    "shape of text": b'{"a": {"dtype": "F32", "shape": "9x", "data_offsets": [0, 4]}}',
    "huge shape": b'{"a": {"dtype": "F32", "shape": [%s, 9], "data_offsets": [0, 4]}}' % (b"9" * 300),
    "negative": b'{"a": {"dtype": "F32", "shape": [-3], "data_offsets": [0, -4]}}',
    "offsets": b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": ["4", "5"]}}',
    "no offsets": b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": []}}',
    "entries": b'{"a": 1, "b": null}',
}


def header(content):
    return struct.pack("<Q", len(content)) + content


def plant(folder, name, content):
    base_model(folder)
    (folder / name).write_bytes(content)


@pytest.mark.parametrize("name", MODEL_FILES)
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_model_file_of_any_content_is_a_finding(tmp_path, name, kind):
    plant(tmp_path / "bad", name, HOSTILE[kind])
    report = check_model(tmp_path / "bad")
    assert all(problem.message.encode() and problem.remedy for problem in report.problems)
    assert report.architecture.encode() is not None
    f"{report.parameters / 1e6}"
    if (
        kind in ("brackets", "closed brackets", "objects")
        and name != "chat_template.jinja"
        and name[0] not in ".a"
    ):
        assert any(name in problem.message for problem in report.errors)
    with suppress(StudioError):
        model_shape(tmp_path / "bad")


@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_of_any_content_is_a_finding(tmp_path, kind):
    plant(tmp_path / "bad", "model.safetensors", header(HEADERS[kind]))
    report = check_model(tmp_path / "bad")
    assert any("model.safetensors" in problem.message for problem in report.problems)
    f"{report.parameters / 1e6:.1f}"


@pytest.mark.parametrize("name", MODEL_FILES)
def test_what_is_no_regular_file_is_not_waited_for(tmp_path, name):
    for kind in ("pipe", "device", "folder", "loop"):
        folder = tmp_path / kind
        base_model(folder)
        (folder / name).unlink(missing_ok=True)
        if kind == "pipe":
            os.mkfifo(folder / name)
        elif kind == "device":
            (folder / name).symlink_to("/dev/zero")
        elif kind == "folder":
            (folder / name).mkdir()
        else:
            (folder / name).symlink_to(name)
        began = time.monotonic()
        check_model(folder)
        assert time.monotonic() - began < 5


def test_random_bytes_in_any_file(tmp_path):
    dice = random.Random(7)
    for number in range(150):
        folder = tmp_path / str(number)
        base_model(folder)
        file = folder / dice.choice(MODEL_FILES[:4])
        content = bytearray(file.read_bytes() or b"{}")
        for _ in range(dice.randint(1, 12)):
            content[dice.randrange(len(content))] = dice.choice(b'[]{}",:0-9eE.\\\xff\x00')
        file.write_bytes(content[: dice.randint(1, len(content))] if number % 3 == 0 else content)
        check_model(folder)


@pytest.mark.parametrize("text", ["x" * 5000, "a\x00b", "~nobody-of-that-name/x", "/dev/null/x", "."])
def test_a_name_that_no_file_can_have(workspace, text):
    with suppress(StudioError):
        check_model(locate_model(workspace, text))
    shown = CliRunner().invoke(app, ["models", "check", text, "--home", str(workspace.home)])
    assert isinstance(shown.exception, SystemExit | None)


TOML = {
    "brackets": b"category = " + b"[" * DEEP,
    "tables": b"[" + b"a." * DEEP + b"a]",
    "category text": b'category = "x"\nprompt = "p"',
    "numbers": b"category = [1]\nprompt = 2",
    "none": b'category = []\nprompt = "p"',
    "borderline": b'prompt = "p"\n[[category]]\nname="a"\nenglish="a"\nkey="1"\ncolor="c"\ndefinition="d"\nborderline=3',
    "borderlines": b'prompt = "p"\n[[category]]\nname="a"\nenglish="a"\nkey="1"\ncolor="c"\ndefinition="d"\nborderline=[{x=1}]',
    "rule": b'prompt = "p"\nrule = [{pair = 3, text = 4}]\n[[category]]\nname="a"\nenglish="a"\nkey="1"\ncolor="c"\ndefinition="d"',
    "rules": b'prompt = "p"\nrule = 7\n[[category]]\nname="a"\nenglish="a"\nkey="1"\ncolor="c"\ndefinition="d"',
    "prompt": b'prompt = 5\n[[category]]\nname="a"\nenglish="a"\nkey="1"\ncolor="c"\ndefinition="d"',
}


@pytest.mark.parametrize("content", [*TOML.values(), *HOSTILE.values()])
def test_a_category_file_of_any_content_is_refused_by_name(tmp_path, content):
    (tmp_path / "mine.toml").write_bytes(content)
    with pytest.raises(StudioError, match=r"mine\.toml"):
        load_scheme(tmp_path / "mine.toml")


YAML = [
    b"[" * 5000,
    b"a: " * 5000,
    b"? " * 3000,
    b"!!bool x",
    b"!!int ''",
    b"a: !!timestamp 9999-99-99",
    b"!!float x",
    b"a: &a [*a]",
    b"{a: 1, [1]: 2}",
    b"a: !!python/object:os.system x",
    b"? {}\n: 1",
    b"a: 1\n\x00",
    b"---\na\n---\nb",
    b"learning_rate: [[[]]]\nlora_rank: {}",
    b"- 1",
]


@pytest.mark.parametrize("content", [*YAML, *HOSTILE.values()])
def test_a_settings_file_of_any_content_is_refused(workspace, tmp_path, content):
    (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(StudioError):
        build_train_spec(workspace, read_spec_file(tmp_path / "mine.yaml"), None, None, [])
    try:
        read_settings_file(content.decode("utf-8", "replace"))
        read_setting("a=" + content[:2000].decode("utf-8", "replace"))
    except StudioError:
        pass


@pytest.mark.parametrize("content", HOSTILE.values())
def test_a_manifest_of_any_content_is_refused_by_name(workspace, tmp_path, content):
    for name in ("dataset_info.json", "train.json"):
        folder = tmp_path / name[:3]
        folder.mkdir()
        for each in ("dataset_info.json", "train.json", "eval.json"):
            (folder / each).write_bytes((BUNDLED_DATASET / each).read_bytes())
        (folder / name).write_bytes(content)
        entries(folder)
        try:
            with_eval_of(workspace, folder, BUNDLED_DATASET)
        except StudioError as error:
            assert str(folder) in error.problem


@pytest.fixture
def studio(workspace):
    """A workspace with something of everything, in which one file is then made hostile."""
    return fill(open_store(workspace.database), workspace)


@pytest.mark.parametrize(
    "name", ["spec.json", "run.json", "result.json", "scores.json", "predictions.jsonl", "metrics.jsonl"]
)
@pytest.mark.parametrize("kind", ["brackets", "objects", "infinite", "half character", "not utf-8", "list"])
def test_a_run_file_of_any_content_is_named(workspace, studio, name, kind):
    (studio.folder / name).write_bytes(HOSTILE[kind] + b"\n")
    for run in runs.list_runs(workspace):
        try:
            runs.load_scores(run)
            runs.load_predictions(run, "chain")
            runs.read_events(run)
            runs.progress(run)
        except StudioError as error:
            assert name in error.problem
    if name in ("spec.json", "run.json", "result.json"):
        assert [error for error in runs.unreadable_runs(workspace) if studio.id in error.problem]


def test_the_pages_list_what_they_can_and_name_the_rest(workspace, studio):
    """One test: a page costs a second, and what one file breaks no other mends."""
    for number, content in enumerate(HOSTILE.values()):
        plant(workspace.models / f"bad{number}", "config.json", content)
        plant(workspace.models / f"worse{number}", "model.safetensors", header(content))
        spoiled = workspace.runs / f"20260101-0000{number:02d}-spoiled"
        spoiled.mkdir()
        (spoiled / "spec.json").write_bytes(content)
        served = workspace.serving / f"key{number}"
        served.mkdir()
        (served / "spec.json").write_bytes(content)
    assert {"small", "bundled", "bad0", "worse0"} <= {model.name for model in scan_models(workspace)}
    assert len(servers.servers(workspace)) == 0
    for page in ("models", "train", "evaluate", "compare", "try_it"):
        shown = open_page(page)
        assert not shown.exception, page
    listed = CliRunner().invoke(app, ["models", "--home", str(workspace.home)])
    assert "small" in listed.stdout
    assert isinstance(listed.exception, SystemExit | None)
    checked = CliRunner().invoke(app, ["models", "check", "bad0", "--home", str(workspace.home)])
    assert checked.exit_code == 1
    assert "config.json" in checked.output


def test_the_model_settings_are_named(workspace):
    for content in (content for content in HOSTILE.values() if not content.startswith(b'{"')):
        settings_file(workspace).write_bytes(content)
        with pytest.raises(StudioError, match=r"models\.json"):
            load_model_settings(workspace)
    for page in ("models", "train", "evaluate", "compare", "try_it"):
        shown = open_page(page)
        assert not shown.exception, page
        assert page != "models" or any("模型设置" in error.value for error in shown.error)
