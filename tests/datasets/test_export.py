"""A version in three forms: complete, the same bytes every time, and the same bytes after a round trip."""

import io
import json
import zipfile

import pytest
from typer.testing import CliRunner

from studio.cli.main import app
from studio.datasets import versions
from studio.datasets.card import write_card
from studio.datasets.export import EXPORT_FORMS, export_files, zip_files
from studio.ingest.importer import import_path
from studio.workspace import BUNDLED_DATASET
from tests.support.samples import SCHEME, new_store


def frozen(folder, source=BUNDLED_DATASET):
    """Freeze the rows of a folder as a version, in a workspace of its own."""
    opened = new_store(folder)
    import_path(opened[0], source, SCHEME)
    return versions.freeze(*opened, "news", author="li", scheme=SCHEME)


def card(version):
    return write_card(version.name, version.files, SCHEME.names, SCHEME.prompt)


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    return frozen(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def home(version):
    return version.folder.parent.parent.parent


@pytest.mark.parametrize("form", EXPORT_FORMS)
def test_export_import_export_gives_the_same_bytes(version, tmp_path, form):
    exported = export_files(version.files, form, card(version))
    folder = tmp_path / "export"
    folder.mkdir()
    for name, content in exported.items():
        (folder / name).write_bytes(content)
    again = frozen(tmp_path / "other", folder)
    assert export_files(again.files, form, card(again)) == exported
    assert again.sha256 == version.sha256


@pytest.mark.parametrize("form", EXPORT_FORMS)
def test_every_row_says_the_same_in_every_form(version, form):
    rows = json.loads(export_files(version.files, form, "")["eval.json"])
    turns = {
        "sharegpt": lambda row: [turn["value"] for turn in row["conversations"]],
        "alpaca": lambda row: [row["instruction"] + row["input"], row["output"]],
        "openai": lambda row: [turn["content"] for turn in row["messages"]],
    }[form]
    frozen_rows = json.loads(version.files["eval.json"])
    assert [turns(row) for row in rows] == [[t["value"] for t in row["conversations"]] for row in frozen_rows]


@pytest.mark.parametrize(("form", "tags"), [("sharegpt", 7), ("alpaca", 0), ("openai", 7)])
def test_dataset_info_names_every_column_and_tag(version, form, tags):
    files = export_files(version.files, form, "")
    entry = json.loads(files["dataset_info.json"])["train"]
    row = json.loads(files["train.json"])[0]
    assert set(entry["columns"].values()) == set(row)
    assert len(entry.get("tags", {})) == tags
    assert entry["formatting"] == ("alpaca" if form == "alpaca" else "sharegpt")


def test_a_zip_has_the_same_bytes_whenever_it_is_made(version):
    files = export_files(version.files, "openai", card(version))
    packed = zip_files(files, "news_v1")
    assert packed == zip_files(dict(files), "news_v1")
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert {name: archive.read(f"news_v1/{name}") for name in files} == files
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}


def test_the_card_counts_what_is_there(version):
    text = card(version)
    assert "| 体育 | 30 | 10 |" in text
    assert "| **合计 total** | **300** | **100** |" in text
    assert "- 跨训练和评估 groups in both splits: 0" in text
    assert version.sha256 in text


def test_the_command_writes_a_folder_or_a_zip_once(home, tmp_path):
    for out in (tmp_path / "out", tmp_path / "out.zip"):
        arguments = ["dataset", "export", "news", str(out), "--form", "alpaca", "--home", str(home)]
        assert CliRunner().invoke(app, [*arguments, "--json"]).exit_code == 0
        refused = CliRunner().invoke(app, arguments)
        assert refused.exit_code == 2 and "已经存在" in refused.stderr
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        for name in ("train.json", "eval.json", "dataset_info.json", "README.md", "categories.toml"):
            assert archive.read(f"news_v1/{name}") == (tmp_path / "out" / name).read_bytes()


def test_the_command_prints_the_card_and_the_list(home):
    done = CliRunner().invoke(app, ["dataset", "card", "news@1", "--home", str(home)])
    assert done.stdout.startswith("# news\n")
    done = CliRunner().invoke(app, ["dataset", "list", "--json", "--home", str(home)])
    assert [entry["ref"] for entry in json.loads(done.stdout)] == ["news@1"]
