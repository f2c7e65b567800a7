"""The Models page: what it shows, a download from click to training, and who may allow what."""

import json
import re
import shutil
import sys

import pytest

from studio import runs
from studio.contract import EvaluateSpec
from studio.jobs import queue
from studio.modelfiles.settings import load_model_settings, set_hub
from studio.models import downloads, unsafe_allowlist
from studio.models.catalog import resolve_model
from studio.team import people
from studio.workspace import BUNDLED_MODEL, open_workspace
from tests.support.model_folders import make_model
from tests.support.pages import open_page, words
from tests.support.samples import new_store
from tests.support.tiny_hub import Hub
from tests.support.tiny_runs import end_everything, wait_until


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("STUDIO_LANG", raising=False)
    place = open_workspace()
    yield place
    end_everything(place)


@pytest.fixture
def hub(tmp_path, workspace):
    server = Hub({"tiny/model": make_model(tmp_path / "published")})
    set_hub(workspace, endpoint=server.url, offline=False)
    yield server
    server.close()


def rows(app):
    return app.dataframe[0].value.to_dict("records")


def test_models_are_listed_with_what_is_wrong_and_what_to_do(workspace):
    make_model(workspace.models / "sound")
    (make_model(workspace.models / "half") / "model.safetensors").write_bytes(b"12345678")
    app = open_page("models")
    assert [(row["名称"], row["状态"]) for row in rows(app)[1:]] == [
        ("half", "✗ 不可用"),
        ("sound", "✓ 完整"),
    ]
    app.selectbox(key="choose-model-detail").set_value("half").run()
    assert "怎么办" in app.error[0].value
    english = open_page("models", lang="en")
    assert not re.search(r"[\u4e00-\u9fff]", words(english))


def test_a_folder_is_added_and_removed(workspace, tmp_path):
    folder = make_model(tmp_path / "elsewhere" / "mine").parent
    app = open_page("models")
    app.text_input(key="model-folder").set_value(f' "{folder}" ').run()
    app.button(key="model-folder-add").click().run()
    assert [row["名称"] for row in rows(app)][1:] == ["mine"]
    app.button(key=f"model-folder-remove-{folder}").click().run()
    assert load_model_settings(workspace).folders == ()
    app.text_input(key="model-folder").set_value("/no/such/place").run()
    app.button(key="model-folder-add").click().run()
    assert "/no/such/place" in app.toast[0].value.replace("\\", "")


def press_download(app, name):
    app.text_input(key="download-id").set_value(name).run()
    return app.button(key="download-start").click().run()


def test_a_download_is_started_paused_resumed_and_used(workspace, hub):
    hub.behave = lambda number, name, start: "stall" if name == "model.safetensors" else ""
    app = press_download(open_page("models"), "https://modelscope.cn/models/tiny/model/summary")
    (job,) = downloads.download_jobs(workspace)
    wait_until(lambda: hub.asked("model.safetensors"))
    app.run()
    app.button(key=f"download-pause-{job.id}").click().run()
    wait_until(lambda: runs.get_job(workspace, job.id).is_over)
    assert runs.get_job(workspace, job.id).state == "paused"
    hub.behave = lambda *_: ""
    app.run()
    app.button(key=f"download-resume-{job.id}").click().run()
    wait_until(lambda: (workspace.models / "tiny" / "model").exists())
    assert [each.id for each in downloads.download_jobs(workspace)] == [job.id]
    app.run()
    assert [row["名称"] for row in rows(app)][1:] == ["tiny/model"]
    app.selectbox(key="choose-model-detail").set_value("tiny/model").run()
    app.button(key=f"model-verify-{workspace.models / 'tiny' / 'model'}").click().run()
    assert "4" in app.success[0].value
    assert resolve_model(workspace, "tiny/model") == workspace.models / "tiny" / "model"


def test_a_failed_download_says_why_and_its_parts_can_go(workspace, hub):
    hub.behave = lambda number, name, start: "corrupt" if name == "tokenizer.json" else ""
    app = press_download(open_page("models"), "tiny/model")
    (job,) = downloads.download_jobs(workspace)
    wait_until(lambda: runs.get_job(workspace, job.id).is_over)
    app.run()
    assert "tokenizer.json" in app.error[0].value.replace("\\", "")
    app.button(key=f"download-discard-{job.id}").click().run()
    assert not downloads.parts(job).exists()
    assert not app.error


def test_rubbish_and_offline_are_told_without_a_job(workspace, hub):
    app = press_download(open_page("models"), "not a model")
    assert "not a model" in app.toast[0].value
    app.toggle(key="model-offline").set_value(True).run()
    app.button(key="model-hub-save").click().run()
    assert any("离线" in box.value for box in app.info)
    assert downloads.download_jobs(workspace) == []


def test_only_an_admin_allows_pickle_weights_and_for_one_model(workspace, tmp_path):
    db, _ = new_store(tmp_path / "home")
    for name in ("li", "wang"):
        people.sign_in(db, name)
    people.change_person(db, "wang", by="li", role="analyst")
    for name in ("old", "other"):
        folder = make_model(workspace.models / name)
        shutil.move(folder / "model.safetensors", folder / "pytorch_model.bin")
    old = workspace.models / "old"
    analyst = open_page("models", annotator="wang")
    analyst.selectbox(key="choose-model-detail").set_value("old").run()
    assert not [button for button in analyst.button if str(button.key).startswith("model-allow-")]
    admin = open_page("models", annotator="li")
    admin.selectbox(key="choose-model-detail").set_value("old").run()
    assert admin.button(key=f"model-allow-{old}").disabled
    admin.checkbox(key=f"model-understood-{old}").check().run()
    admin.button(key=f"model-allow-{old}").click().run()
    assert [(each.path, each.by) for each in load_model_settings(workspace).allowed] == [(old, "li")]
    assert [(row["名称"], row["状态"]) for row in rows(admin)[1:]] == [
        ("old", "! 有警告"),
        ("other", "✗ 不可用"),
    ]
    admin.button(key=f"model-withdraw-{old}").click().run()
    assert load_model_settings(workspace).allowed == ()


def test_a_worker_is_told_what_is_allowed_and_nothing_that_a_shell_exported(workspace, tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_ALLOW_UNSAFE", "/everything")
    db, _ = new_store(tmp_path / "home")
    people.sign_in(db, "li")
    unsafe_allowlist.allow_unsafe(db, workspace, workspace.models / "old", by="li")
    show = "import os, pathlib, sys; pathlib.Path(sys.argv[-1], 'told').write_text(os.environ['STUDIO_ALLOW_UNSAFE'])"
    monkeypatch.setenv("STUDIO_JOBS_WORKER", json.dumps([sys.executable, "-c", show]))
    run = runs.prepare_run(workspace, EvaluateSpec(model_name_or_path=BUNDLED_MODEL, dataset_dir=tmp_path))
    queue.submit(workspace, run)
    wait_until(lambda: (run.folder / "told").exists() and bool((run.folder / "told").read_text()))
    assert (run.folder / "told").read_text() == str(workspace.models / "old")
