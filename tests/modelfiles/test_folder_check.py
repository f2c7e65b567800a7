"""A model folder that cannot be loaded is diagnosed from its files, in one message with the remedy."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from studio.cli._models import app as cli
from studio.errors import ModelUnusable
from studio.language import current_language
from studio.modelfiles.token_rows import tokens_without_row
from studio.models import catalog
from studio.workspace import BUNDLED_MODEL, open_workspace
from tests.support.model_folders import (
    CONFIG,
    WIDTH,
    cut,
    make_model,
    split,
)


@pytest.fixture
def workspace(tmp_path):
    return open_workspace(tmp_path / "home")


@pytest.fixture
def model(tmp_path):
    """Write a complete base model of two tensors."""
    return make_model(tmp_path / "model")


def codes(path):
    return [problem.code for problem in catalog.check_model(path).problems]


def test_a_whole_model_is_ok_and_its_size_is_counted(model):
    report = catalog.check_model(model)
    assert report.problems == ()
    assert (report.ok, report.architecture, report.template) == (True, "Qwen2ForCausalLM", "deepseekr1")
    assert report.parameters == 16 * WIDTH + WIDTH * WIDTH
    assert report.size_bytes == (model / "model.safetensors").stat().st_size


def test_shards_with_an_index_are_as_good_as_one_file(model):
    split(model)
    assert catalog.check_model(model).parameters == 16 * WIDTH + WIDTH * WIDTH
    assert codes(model) == []


def a_missing_shard(folder):
    split(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()


def a_half_downloaded_shard(folder):
    split(folder)
    cut(folder / "model-00002-of-00002.safetensors", 100)


def an_index_of_another_model(folder):
    split(folder)
    index = folder / "model.safetensors.index.json"
    index.write_text(
        index.read_text().replace(
            '"weight_map": {', '"weight_map": {"x": "model-00001-of-00002.safetensors", '
        )
    )


def a_lost_index(folder):
    split(folder)
    (folder / "model.safetensors.index.json").unlink()


def other_weights(folder, name):
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(b"GGUF")


def an_adapter_instead(folder):
    (folder / "config.json").unlink()
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "Qwen/Qwen3-0.6B"}')


def one_level_too_high(folder):
    make_model(folder / "snapshots" / "abc")
    (folder / "config.json").unlink()


BROKEN = {
    "shard_missing": (a_missing_shard, "model-00002-of-00002.safetensors"),
    "shard_truncated": (a_half_downloaded_shard, "model-00002-of-00002.safetensors"),
    "index_mismatch": (an_index_of_another_model, "x"),
    "index_missing": (a_lost_index, "index.json"),
    "index_unreadable": (lambda f: (f / "model.safetensors.index.json").write_text("{"), "index.json"),
    "weights_missing": (lambda f: (f / "model.safetensors").unlink(), "model.safetensors"),
    "gguf_only": (lambda f: other_weights(f, "model-q4.gguf"), "safetensors"),
    "bin_only": (lambda f: other_weights(f, "pytorch_model.bin"), "safetensors"),
    "lfs_pointer": (
        lambda f: (f / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1"),
        "lfs pull",
    ),
    "config_missing": (lambda f: (f / "config.json").unlink(), "config.json"),
    "config_unreadable": (lambda f: (f / "config.json").write_text('{"model_'), "config.json"),
    "config_mismatch": (
        lambda f: (f / "config.json").write_text(json.dumps(CONFIG | {"hidden_size": 9})),
        "9",
    ),
    "tokenizer_missing": (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json"),
    "tokenizer_unreadable": (lambda f: cut(f / "tokenizer.json", 30), "tokenizer.json"),
    "adapter_only": (an_adapter_instead, "Qwen/Qwen3-0.6B"),
    "wrong_level": (one_level_too_high, "snapshots/abc"),
}


@pytest.mark.parametrize("code", BROKEN)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_broken_folder_is_diagnosed(model, workspace, code, language):
    damage, named = BROKEN[code]
    current_language.set(language)
    damage(model)
    assert codes(model) == [code]
    with pytest.raises(ModelUnusable) as raised:
        catalog.resolve_model(workspace, str(model))
    assert named in str(raised.value)
    current_language.set("zh")


@pytest.mark.parametrize("size", [0, 4, 8, 60])
def test_a_weight_file_cut_anywhere_is_truncated(model, size):
    cut(model / "model.safetensors", size)
    assert codes(model) == ["shard_truncated"]


def test_a_file_that_holds_no_weights_is_detected(model):
    (model / "model.safetensors").write_text("<html>404 Not Found: the page that you asked for</html>")
    assert codes(model) == ["shard_truncated"]
    (model / "model.safetensors").write_bytes((16).to_bytes(8, "little") + b"[1, 2, 3, 4, 56]")
    assert codes(model) == ["shard_unreadable"]


def test_an_unfinished_download_is_named(model):
    (model / "model.safetensors").rename(model / "model.safetensors.incomplete")
    (problem,) = catalog.check_model(model).problems
    assert "model.safetensors.incomplete" in problem.message


def test_a_repaired_folder_is_checked_again(model):
    whole = (model / "model.safetensors").read_bytes()
    cut(model / "model.safetensors", 100)
    assert not catalog.check_model(model).ok
    (model / "model.safetensors").write_bytes(whole)
    assert catalog.check_model(model).ok


def test_a_gguf_file_and_a_folder_that_is_not_there(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    assert codes(tmp_path / "model.gguf") == ["gguf_only"]
    assert codes(tmp_path / "nothing") == ["folder_missing"]


@pytest.mark.parametrize(
    ("config", "tokens", "template"),
    [
        ('{"chat_template": "{{ x }}"}', "<|im_start|>", "qwen"),
        ('{"chat_template": "enable_thinking"}', "<|im_start|>", "qwen3"),
        ("{}", "<|im_start|> <think>", "qwen3"),
        ("{}", "\\\\uff5cUser <\\uff5cUser\\uff5c>", "deepseekr1"),
        ('{"chat_template": "{{ x }}"}', "<s>", "tokenizer"),
        ("{}", "<s>", "default"),
    ],
)
def test_the_template_is_guessed_from_the_special_tokens(model, config, tokens, template):
    (model / "tokenizer_config.json").write_text(config)
    (model / "tokenizer.json").write_text(f'{{"added_tokens": ["{tokens}"]}}')
    assert catalog.check_model(model).template == template


def test_a_token_beyond_the_embedding_is_a_warning(model):
    rows = 12
    file = model / "tokenizer.json"
    for ids, found in (((3, rows - 1), []), ((3, rows), ["token_without_row"])):
        added = [{"id": id, "content": f"<{id}>"} for id in ids]
        file.write_text(json.dumps({"added_tokens": added, "model": {"vocab": {"a": 0}}}))
        shapes = {"model.embed_tokens.weight": (rows, 4)}
        problem = tokens_without_row(model, shapes)
        assert [each.code for each in (problem,) if each] == found
        assert problem is None or problem.severity == "warning"
    file.write_text("{}")
    (model / "tokenizer_config.json").write_text('{"added_tokens_decoder": {"12": {}, "x": {}}}')
    assert tokens_without_row(model, {"model.embed_tokens.weight": (rows, 4)}).code == "token_without_row"


def test_models_of_the_workspace_are_found_by_name_broken_ones_too(workspace):
    make_model(workspace.models / "mine")
    make_model(workspace.models / "Qwen" / "Qwen3-0.6B")
    (workspace.models / "half").mkdir()
    own = [model for model in catalog.find_models(workspace) if not model.bundled]
    assert [(model.name, model.ok) for model in own] == [
        ("Qwen/Qwen3-0.6B", True),
        ("half", False),
        ("mine", True),
    ]


def test_a_model_is_resolved_by_name_or_path(workspace, model):
    named = make_model(workspace.models / "mine")
    assert catalog.resolve_model(workspace, "mine") == named
    assert catalog.resolve_model(workspace, str(model)) == model
    with pytest.raises(ModelUnusable, match="news-studio models"):
        catalog.resolve_model(workspace, "nothing")


@pytest.mark.skipif(not BUNDLED_MODEL.exists(), reason="the bundled model is not here yet")
def test_the_bundled_model_is_whole(workspace):
    assert catalog.resolve_model(workspace, "bundled") == BUNDLED_MODEL
    assert catalog.find_models(workspace)[0].bundled


def test_the_commands_list_and_check(workspace, model):
    make_model(workspace.models / "mine")
    home = ["--home", str(workspace.home)]
    listed = json.loads(CliRunner().invoke(cli, ["models", *home, "--json"]).stdout)
    assert listed == json.loads(CliRunner().invoke(cli, ["models", "list", *home, "--json"]).stdout)
    assert listed[-1]["name"] == "mine"
    sound = CliRunner().invoke(cli, ["models", "check", str(model), "--json"])
    assert (sound.exit_code, json.loads(sound.stdout)["ok"]) == (0, True)
    (model / "config.json").unlink()
    broken = CliRunner().invoke(cli, ["models", "check", str(model), "--json"])
    assert (broken.exit_code, json.loads(broken.stdout)["problems"][0]["code"]) == (1, "config_missing")
    assert CliRunner().invoke(cli, ["models", "check", str(model / "nothing")]).exit_code == 2


@pytest.mark.parametrize(
    "module",
    [
        "models.catalog",
        "jobs.queue",
        "jobs._process",
        "runs",
        "serving.servers",
        "serving.client",
        "operations.doctor",
        "operations.supervisor",
        "cli.main",
    ],
)
def test_nothing_here_imports_torch_or_pages(module):
    heavy = {"torch", "transformers", "streamlit", "backend"}
    code = f"import sys, studio.{module}; print({heavy} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "set()\n"
