"""Models in the hubs' caches and in own folders are found by name; a mistyped path is recognized."""

import hashlib
import json
import os

import pytest
from typer.testing import CliRunner

from studio.cli._models import app as cli
from studio.errors import InputError, ModelUnusable, UnreadableFile
from studio.modelfiles.hub_manifest import verify_hashes
from studio.modelfiles.settings import add_folder, load_model_settings, set_hub, settings_file
from studio.models import catalog
from studio.models.path_hints import hub_id
from studio.workspace import open_workspace
from tests.support.model_folders import make_model


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "modelscope"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "huggingface"))
    return open_workspace(tmp_path / "home")


def huggingface_model(root, name, commit="abc123", *, main=True):
    """Write a model as huggingface_hub caches it: links to blobs, those of LFS files named by their hash."""
    folder = root / f"models--{name.replace('/', '--')}"
    plain = make_model(folder / "made")
    snapshot = folder / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (folder / "blobs").mkdir(exist_ok=True)
    for file in plain.iterdir():
        data = file.read_bytes()
        is_lfs = file.suffix == ".safetensors"
        blob = hashlib.sha256(data).hexdigest() if is_lfs else hashlib.sha1(data).hexdigest()
        file.rename(folder / "blobs" / blob)
        (snapshot / file.name).symlink_to(f"../../blobs/{blob}")
    plain.rmdir()
    if main:
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / "main").write_text(commit)
    return snapshot


def names(workspace):
    return {model.name: model.source for model in catalog.find_models(workspace) if not model.bundled}


def test_models_are_found_in_both_layouts_of_modelscopes_cache(workspace, tmp_path):
    new = make_model(tmp_path / "modelscope/models/Qwen--Qwen3-0.6B/snapshots/master")
    make_model(tmp_path / "modelscope/models/Qwen--Qwen3-0.6B/snapshots/v2")
    old = make_model(tmp_path / "modelscope/hub/models/Qwen/Qwen2___5-0___5B")
    (old.parent / "Qwen2.5-0.5B").symlink_to(old)
    assert names(workspace) == dict.fromkeys(
        ["Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B@v2", "Qwen/Qwen2.5-0.5B"], "modelscope"
    )
    assert catalog.resolve_model(workspace, "Qwen/Qwen3-0.6B") == new
    assert catalog.resolve_model(workspace, "Qwen/Qwen2.5-0.5B") == old


def test_models_are_found_in_hugging_faces_cache_and_their_blobs_verified(workspace, tmp_path):
    huggingface_model(tmp_path / "huggingface", "Qwen/Qwen3-0.6B", "older" * 8, main=False)
    snapshot = huggingface_model(tmp_path / "huggingface", "Qwen/Qwen3-0.6B")
    assert names(workspace) == dict.fromkeys(["Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B@olderold"], "huggingface")
    assert catalog.resolve_model(workspace, "Qwen/Qwen3-0.6B") == snapshot
    assert verify_hashes(snapshot).same == ("model.safetensors",)
    blob = (snapshot / "model.safetensors").resolve()
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    checked = CliRunner().invoke(cli, ["models", "check", str(snapshot), "--hashes", "--json"])
    assert (checked.exit_code, json.loads(checked.stdout)["problems"][0]["code"]) == (1, "hash_mismatch")
    assert catalog.check_model(snapshot).ok


def test_a_link_to_a_blob_that_never_came_is_a_missing_file(workspace, tmp_path):
    snapshot = huggingface_model(tmp_path / "huggingface", "Qwen/Qwen3-0.6B")
    (snapshot / "model.safetensors").resolve().unlink()
    assert [problem.code for problem in catalog.check_model(snapshot).problems] == ["weights_missing"]
    assert names(workspace) == {}
    assert [model.ok for model in catalog.scan_models(workspace) if not model.bundled] == [False]


def test_hashes_are_known_from_the_metadata_that_hf_download_leaves(workspace, tmp_path):
    folder = make_model(tmp_path / "local")
    metadata = folder / ".cache" / "huggingface" / "download"
    metadata.mkdir(parents=True)
    (metadata / "model.safetensors.metadata").write_text("commit\n" + "0" * 64 + "\n1.0\n")
    assert [problem.code for problem in verify_hashes(folder).problems] == ["hash_mismatch"]


def test_one_name_in_several_places_means_the_workspace_first(workspace, tmp_path):
    cached = make_model(tmp_path / "modelscope/models/Qwen--Qwen3-0.6B/snapshots/master")
    huggingface_model(tmp_path / "huggingface", "Qwen/Qwen3-0.6B")
    own = make_model(workspace.models / "Qwen" / "Qwen3-0.6B")
    assert names(workspace) == {
        "Qwen/Qwen3-0.6B": "workspace",
        "modelscope:Qwen/Qwen3-0.6B": "modelscope",
        "huggingface:Qwen/Qwen3-0.6B": "huggingface",
    }
    assert catalog.resolve_model(workspace, "Qwen/Qwen3-0.6B") == own
    assert catalog.resolve_model(workspace, "modelscope:Qwen/Qwen3-0.6B") == cached


def test_a_folder_of_ones_own_is_searched_three_levels_deep(workspace, tmp_path):
    for name in ("a", "group/b", "x/y/c", "x/y/z/too-deep"):
        make_model(tmp_path / "own" / name)
    add_folder(workspace, str(tmp_path / "own"))
    assert names(workspace) == dict.fromkeys(["a", "group/b", "x/y/c"], "folder")
    assert catalog.resolve_model(workspace, "x/y/c") == tmp_path / "own/x/y/c"


def test_an_unfinished_download_is_no_model(workspace):
    (workspace.models / "Qwen" / ".Qwen3-0.6B.part").mkdir(parents=True)
    make_model(workspace.models / "Other" / ".half.part")
    assert catalog.scan_models(workspace) == [
        model for model in catalog.scan_models(workspace) if model.bundled
    ]


@pytest.mark.parametrize("around", ['"{}"', "'{}'", "  {}  ", "“{}”", "file://{}", "{}/"])
def test_what_copying_brings_along_is_stripped(workspace, tmp_path, around):
    folder = make_model(tmp_path / "model")
    assert catalog.resolve_model(workspace, around.format(folder)) == folder


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("Qwen/Qwen2.5-0.5B-Instruct", "models download Qwen/Qwen2.5-0.5B-Instruct"),
        ("https://www.modelscope.cn/models/Qwen/Qwen3-8B/summary", "models download Qwen/Qwen3-8B"),
        ("https://huggingface.co/Qwen/Qwen3-8B/tree/main", "models download Qwen/Qwen3-8B"),
        (r'"C:\models\Qwen"', "/mnt/c/models/Qwen"),
        ("D:/models/Qwen", "/mnt/d/models/Qwen"),
        ("bundeld", "bundled"),
        ("", "news-studio models"),
        ("/no/such/model", "news-studio models"),
    ],
)
def test_a_text_that_names_no_folder_gets_a_hint_at_what_was_likely_meant(workspace, text, remedy):
    with pytest.raises(ModelUnusable) as raised:
        catalog.resolve_model(workspace, text)
    assert remedy in raised.value.remedy


def test_a_file_or_a_level_too_deep_names_the_right_folder(workspace, tmp_path):
    folder = make_model(tmp_path / "model")
    (folder / "inside").mkdir()
    for path, code in ((folder / "model.safetensors", "file_instead"), (folder / "inside", "wrong_level")):
        (problem,) = catalog.check_model(path).problems
        assert (problem.code, str(folder) in problem.remedy) == (code, True)


def test_models_that_generate_no_text_or_bring_code_are_detected(tmp_path):
    folder = make_model(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["BertForMaskedLM"]}))
    assert [problem.code for problem in catalog.check_model(folder).problems] == ["not_causal"]
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "x.Y"}}))
    report = catalog.check_model(folder)
    assert ([problem.code for problem in report.problems], report.ok) == (["remote_code"], True)


def test_a_git_lfs_pointer_instead_of_a_tokenizer_is_detected(tmp_path):
    folder = make_model(tmp_path / "model")
    (folder / "tokenizer.json").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\n")
    assert [problem.code for problem in catalog.check_model(folder).problems] == ["lfs_pointer"]


@pytest.mark.parametrize(
    "text", ["/etc/passwd", "a/b/c", "../x", "owner/", "https://example.org/a/b", "x y/z"]
)
def test_other_texts_are_no_name_on_a_hub(text):
    assert hub_id(text) is None


@pytest.mark.parametrize(
    "address", ["ftp://host", "https://user:secret@host", "https://host/?key=1", "https://"]
)
def test_an_address_that_cannot_be_a_mirror_is_refused_without_repeating_it(workspace, address):
    with pytest.raises(InputError) as raised:
        set_hub(workspace, endpoint=address, offline=False)
    assert "secret" not in str(raised.value)
    assert load_model_settings(workspace).endpoint is None


def test_settings_that_cannot_be_read_are_reported_and_not_overwritten(workspace):
    settings_file(workspace).write_text("{")
    with pytest.raises(UnreadableFile, match=r"models\.json"):
        set_hub(workspace, endpoint=None, offline=True)
    assert settings_file(workspace).read_text() == "{"


def test_a_second_scan_reads_only_what_has_changed(workspace, tmp_path):
    snapshot = make_model(tmp_path / "modelscope/models/tiny--model/snapshots/master")
    assert [model.ok for model in catalog.scan_models(workspace)][-1]
    weights = snapshot / "model.safetensors"
    known = weights.stat()
    weights.write_bytes(b"\0" * known.st_size)
    os.utime(weights, ns=(known.st_atime_ns, known.st_mtime_ns))
    assert [model.ok for model in catalog.scan_models(workspace)][-1]
    os.utime(weights)
    assert not [model.ok for model in catalog.scan_models(workspace)][-1]
