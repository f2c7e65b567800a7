"""Plain texts: what becomes a text, one set under one name, and the worker learns from it."""

import gzip
import json

import pytest

from backend.train import train
from backend.worker import RunFolder
from studio.errors import InputError, UnreadableFile
from studio.ingest.plain_texts import add_pasted, add_texts, list_texts, read_texts
from studio.training.presets import with_texts
from studio.workspace import open_workspace
from tests.support.full_disk import error_on_a_full_disk
from tests.support.tiny_models import events_of, quick_spec, save_tiny_model, write_run


@pytest.fixture
def workspace(tmp_path):
    return open_workspace(tmp_path / "home")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "一\n\n  二  \n三".encode()),
        ("a.md", "\ufeff一\r\n二\r\n三\r\n".encode()),
        ("a.txt", "一\n二\n三".encode("gb18030")),
        ("a.jsonl", b'{"text": "\xe4\xb8\x80"}\n\n{"content": "\xe4\xba\x8c"}\n"\xe4\xb8\x89"\n'),
        ("a.json", json.dumps([{"text": "一", "content": "x"}, {"正文": "二"}, "三", ""]).encode()),
        ("a.txt.gz", gzip.compress("一\n二\n三".encode(), mtime=0)),
    ],
)
def test_a_text_is_a_line_or_the_text_column(tmp_path, name, content):
    file = tmp_path / name
    file.write_bytes(content)
    assert list(read_texts(file)) == ["一", "二", "三"]


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.jsonl", b'{"title": "x"}', "第 1 行"),
        ("a.jsonl", b"{broken", "a"),
        ("a.txt.gz", b"no gzip", "无法读取"),
        ("a.txt", b"", "空文件"),
        ("a.txt", b" \n\n", "空文件|没有一行"),
    ],
)
def test_what_has_no_text_is_told_and_nothing_is_kept(workspace, tmp_path, name, content, match):
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises((InputError, UnreadableFile), match=match):
        add_texts(workspace, "mine", [file])
    assert not list_texts(workspace) and not list((workspace.home / "texts").iterdir())


def test_a_folder_is_one_set_and_a_name_belongs_to_one_content(workspace, tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "b.txt").write_text("二")
    (tmp_path / "in" / "deep" / "a.txt").write_text("一")
    (tmp_path / "in" / "picture.png").write_bytes(b"x")
    made = add_texts(workspace, "mine", [tmp_path / "in"])
    assert (made.texts, made.characters) == (2, 2)
    assert list_texts(workspace) == [made] == [add_texts(workspace, "mine", [tmp_path / "in"])]
    with pytest.raises(InputError, match="换一个名字"):
        add_pasted(workspace, "mine", "别的")
    for name in ("", "../up", "a/b", ".hidden"):
        with pytest.raises(InputError, match="不能作名字"):
            add_pasted(workspace, name, "文")


def test_a_full_disk_leaves_no_half_set(workspace):
    error = error_on_a_full_disk(1000, lambda: add_pasted(workspace, "mine", "一\n" * 1000))
    assert error.startswith("DiskFull")
    assert list_texts(workspace) == [] and not list((workspace.home / "texts").iterdir())


def test_the_worker_learns_from_the_kept_texts(workspace, tmp_path):
    model = save_tiny_model(tmp_path / "model")
    kept = add_pasted(workspace, "mine", "今天天气很好\n" * 300)
    spec = with_texts(quick_spec(model, kept.folder, cutoff_len=64, learning_rate=1e-2, max_steps=6))
    folder = RunFolder(write_run(tmp_path / "run", spec))
    train(folder)
    losses = [event.loss for event in events_of(folder.path) if event.event == "step"]
    held_out = [event for event in events_of(folder.path) if event.event == "held_out"]
    assert losses[-1] < losses[0] and held_out
