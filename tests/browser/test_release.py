"""May this ship: save a gate, evaluate the candidate, open the sealed set, read the lines, sign, in Chromium."""

import json
import shutil

import pytest
from playwright.sync_api import expect

from studio import runs
from studio.contract import TrainSpec
from studio.datasets.versions import freeze
from studio.gate.evidence import list_openings
from studio.gate.releasing import release
from studio.ingest.importer import import_path
from studio.releases import ledger
from studio.releases.records import current_release
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL, SAMPLE_RUN, open_workspace
from tests.support.browser import CHROMIUM, go, settle
from tests.support.candidates import CHECKPOINT, answers, ended, rows_of, scored
from tests.support.samples import write_json
from tests.support.tiny_runs import end_everything

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]


def trained(workspace, version, label):
    """Write a training on the version whose adapter is the recorded one: it answers, and needs no minutes."""
    spec = TrainSpec(model_name_or_path=BUNDLED_MODEL, dataset_dir=version.folder)
    run = runs.prepare_run(workspace, spec, label=label, version=version.ref)
    shutil.copytree(next(SAMPLE_RUN.glob("checkpoints/step_*")), run.folder / CHECKPOINT)
    ended(run.folder, checkpoint=CHECKPOINT)
    return runs.get_run(workspace, run.id)


@pytest.fixture
def workspace(tmp_path):
    place = open_workspace(tmp_path / "home")
    yield place
    end_everything(place)


@pytest.fixture
def db(workspace):
    return open_store(workspace.database)


@pytest.fixture
def version(db, workspace):
    # A hundred: two evaluations by the real worker stay short.
    rows = json.loads((BUNDLED_DATASET / "train.json").read_text(encoding="utf-8"))[:100]
    import_path(db, write_json(workspace.home / "rows.json", rows), load_scheme())
    return freeze(
        db,
        workspace,
        "news",
        eval_share=0.4,
        sealed_share=0.15,
        author="ann",
        scheme=load_scheme(),
        accept_warnings=True,
    )


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()
    settle(page)


def fill(page, label, text):
    box = page.get_by_label(label, exact=True)
    box.fill(text)
    box.press("Tab")
    settle(page)


def test_may_this_ship(shared_studio, workspace, db, version, page):
    old = trained(workspace, version, "旧模型")
    scored(old.folder, answers(rows_of(version.folder, "eval"), lambda row: row % 3 != 0, "direct"))
    release(db, workspace, old.id, name="第一版", signed_by="ann", author="ann")
    studio = shared_studio.serve(workspace.home)
    studio.open(page, "release")
    expect(page.get_by_role("heading", name="第一版")).to_be_visible()
    fill(page, "准确率区间下端至少，%", "50")
    fill(page, "封存集准确率区间下端至少，%", "30")
    press(page, "存下门槛")

    new = trained(workspace, version, "新 **模型**")
    studio.open(page, "release", run=new.id)
    press(page, "检查这个候选")
    expect(page.get_by_text("还不能发布：", exact=False).first).to_be_visible()
    press(page, "评估候选")
    expect(page.get_by_text("修好", exact=False).first).to_be_visible(timeout=120_000)

    page.locator("summary", has_text="封存的评估集").click()
    fill(page, "为什么打开", "发布前的最后检查")
    press(page, "为这个候选打开")
    expect(page.get_by_role("button", name="为这个候选打开")).to_be_visible(timeout=120_000)
    (opening,) = list_openings(db)
    assert (opening.run, opening.reason, opening.opening) == (new.id, "发布前的最后检查", 1)

    settle(page)
    press(page, "再检查一次")
    expect(page.get_by_text("可以发布：3 条全部通过。").first).to_be_visible()
    fill(page, "发布的名字", "第二版")
    press(page, "签名并发布")
    expect(page.get_by_role("heading", name="第二版")).to_be_visible()
    made = current_release(workspace)
    assert (made.release.run, made.release.signed_by, made.release.gate.outcome) == (new.id, "ann", "passed")
    assert not made.release.gate.late and ledger.first_broken(db) is None

    go(page, "分类与对话")
    expect(page.locator(".st-key-choose-try-model input")).to_have_value("已发布：第二版")
    go(page, "发布")
    press(page, "退回 第一版")
    expect(page.get_by_role("heading", name="第一版")).to_be_visible()
    assert current_release(workspace).release.name == "第一版"
