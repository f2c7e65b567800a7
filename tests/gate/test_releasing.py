"""Released is what passed its gate or what somebody answers for; it is found by name, kept, and gone back to."""

import sqlite3

import pytest

from studio import runs
from studio.errors import GateNotPassed, InputError, ModelUnusable, NotAllowed, StudioError
from studio.evaluation.entries import find_entry
from studio.gate.card import release_card
from studio.gate.gates import save_gate
from studio.gate.lineage import lineage
from studio.gate.releasing import list_candidates, release
from studio.language import current_language
from studio.models.default_model import choose_default, default_model
from studio.models.targets import resolve_target
from studio.releases import ledger
from studio.releases.records import (
    current_release,
    list_releases,
    put_back,
    put_in_force,
    released_run,
)
from studio.store import open_store
from studio.team import people
from studio.workspace import BUNDLED_NAME
from tests.support.candidates import CHECKPOINT, candidate, frozen, scored


@pytest.fixture
def db(workspace):
    return open_store(workspace.database)


@pytest.fixture
def version(db, workspace):
    return frozen(db, workspace)


def sign(db, workspace, run, **more):
    return release(db, workspace, run.id, signed_by="李", author="ann", **more)


def test_a_release_is_the_checkpoint_its_scores_its_gate_and_who_signed(db, workspace, version):
    gate = save_gate(db, workspace, dataset="news", author="ann", accuracy=0.5)
    run = candidate(workspace, version)
    made = sign(db, workspace, run, name="2026-12")
    body = made.release
    assert made.in_force and (body.number, body.name, body.run, body.signed_by) == (
        1,
        "2026-12",
        run.id,
        "李",
    )
    assert body.gate.gate == gate.number and body.gate.outcome == "passed" and not body.despite
    assert body.scores["direct"].accuracy == 0.9 and body.scores["chain"].n == 80
    assert body.dataset == "news@1" and len(body.checkpoint_sha256) == 64 and body.before is None
    assert current_release(workspace) == made and ledger.first_broken(db) is None


def test_a_gate_that_was_not_passed_refuses_unless_somebody_says_why(db, workspace, version):
    save_gate(db, workspace, dataset="news", author="ann", accuracy=0.95)
    run = candidate(workspace, version)
    with pytest.raises(GateNotPassed) as refused:
        sign(db, workspace, run)
    assert len(refused.value.reasons) == 2 and list_releases(db) == []
    made = sign(db, workspace, run, despite="  线上的更差  ")
    assert made.release.despite == "线上的更差" and made.release.gate.outcome == "failed"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_card_says_what_was_signed_that_day(db, workspace, version, language):
    save_gate(db, workspace, dataset="news", author="ann", accuracy=0.95)
    run = candidate(workspace, version)
    made = sign(db, workspace, run, name="2026-12", despite="线上的更差")
    current_language.set(language)
    card = release_card(made)
    scored(run.folder, [])
    assert release_card(current_release(workspace)) == card
    for part in (
        "# 2026-12",
        "李",
        "90.0%",
        "线上的更差",
        "news@1",
        made.release.checkpoint_sha256,
        made.sha256,
    ):
        assert part in card
    assert card.count("\n| ") == 2 * 11 and "None" not in card
    assert {"zh": "没过 · 准确率", "en": "failed · accuracy"}[language] in card


def test_without_a_gate_the_release_says_so(db, workspace, version):
    made = sign(db, workspace, candidate(workspace, version))
    assert made.release.gate is None and made.release.name == "release-1"


@pytest.mark.parametrize("name", ["released", "bundled", "", "  ", "../up", "a/b", "small", "x" * 81])
def test_a_name_is_new_and_means_nothing_else(db, workspace, version, name):
    run = candidate(workspace, version)
    if not name.strip():
        assert sign(db, workspace, run, name=name or None).release.name == "release-1"
        return
    with pytest.raises(InputError, match="不能作发布的名字"):
        sign(db, workspace, run, name=name)
    with pytest.raises(InputError, match="不能作发布的名字"):
        sign(db, workspace, run, name=run.id)
    with pytest.raises(InputError, match="签名"):
        release(db, workspace, run.id, signed_by=" ", author="ann")


def spoiled(workspace, version):
    smoke = candidate(workspace, version, max_steps=30)
    cancelled = candidate(workspace, version)
    file = cancelled.folder / "result.json"
    file.write_text(file.read_text().replace('"done"', '"cancelled"'))
    member = candidate(workspace, version)
    runs.change_record(member.folder, worked_by="sweep-1")
    gone = candidate(workspace, version)
    (gone.folder / "checkpoints").rename(gone.folder / "elsewhere")
    return [smoke, cancelled, member, gone]


def test_smoke_runs_cancelled_ones_and_sweep_members_are_no_candidates(db, workspace, version):
    whole = candidate(workspace, version)
    for run in spoiled(workspace, version):
        with pytest.raises(StudioError):
            sign(db, workspace, run)
    assert [run.id for run in list_candidates(workspace) if not run.recorded] == [whole.id]
    assert list_releases(db) == []


def test_back_goes_to_the_one_before_and_the_others_stay(db, workspace, version):
    first, second, third = (
        sign(db, workspace, candidate(workspace, version), name=name) for name in ("一", "二", "三")
    )
    assert third.release.before == "二" and current_release(workspace).release.name == "三"
    assert put_back(db, author="ann").release.name == "二"
    assert put_back(db, author="ann").release.name == "一"
    with pytest.raises(InputError, match="没有别的发布"):
        put_back(db, author="ann")
    assert put_in_force(db, 3, author="ann").release.name == "三"
    with pytest.raises(InputError, match="已经在用"):
        put_in_force(db, 3, author="ann")
    with pytest.raises(InputError, match="没有名为"):
        put_in_force(db, 9, author="ann")
    assert [each.release.name for each in list_releases(db)] == ["三", "二", "一"]
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("delete from ledger")
    assert first.release.run != second.release.run


def test_a_name_or_released_stands_wherever_a_run_is_named(db, workspace, version):
    a, b = candidate(workspace, version), candidate(workspace, version, lambda row: row % 7 != 0)
    with pytest.raises(InputError, match="还没有发布"):
        resolve_target(workspace, "released")
    sign(db, workspace, a, name="旧")
    sign(db, workspace, b, name="新")
    for name, run in (("旧", a), ("新", b), ("released", b)):
        *_, resolved = resolve_target(workspace, name)
        assert resolved == run.id == released_run(workspace, name)
        assert runs.get_run(workspace, name).id == run.id
        assert find_entry(workspace, f"{name}:direct").runs[0].id == run.id
    put_back(db, author="ann")
    assert runs.get_run(workspace, "released").id == a.id
    with pytest.raises(InputError, match="没有名为 无 的运行"):
        runs.get_run(workspace, "无")


def test_the_release_in_force_is_the_default_before_what_somebody_chose(db, workspace, version):
    best = candidate(workspace, version, lambda row: True)
    other = candidate(workspace, version)
    choose_default(workspace, BUNDLED_NAME)
    assert default_model(workspace) == BUNDLED_NAME
    sign(db, workspace, other, name="一")
    assert default_model(workspace) == other.id
    sign(db, workspace, best, name="二")
    assert default_model(workspace) == best.id
    (best.folder / CHECKPOINT / "adapter_model.safetensors").write_bytes(b"other weights")
    with pytest.raises(ModelUnusable, match="与签发时不同"):
        resolve_target(workspace, "二")
    assert default_model(workspace) == BUNDLED_NAME


def test_what_was_released_is_not_deleted(db, workspace, version):
    run, other = candidate(workspace, version), candidate(workspace, version)
    sign(db, workspace, run, name="一")
    sign(db, workspace, candidate(workspace, version), name="二")
    with pytest.raises(InputError, match="发布 一 的模型"):
        runs.delete(workspace, run.id)
    with pytest.raises(InputError, match="发布 二 的模型"):
        runs.delete(workspace, "released")
    runs.delete(workspace, other.id)
    assert runs.get_run(workspace, run.id)


def test_the_run_in_force_is_not_released_twice(db, workspace, version):
    run = candidate(workspace, version)
    sign(db, workspace, run)
    with pytest.raises(InputError, match="正在用"):
        sign(db, workspace, run)


def test_only_analysts_and_admins_release(db, workspace, version):
    people.sign_in(db, "boss")
    people.register(db, "rita", role="reviewer")
    run = candidate(workspace, version)
    with pytest.raises(NotAllowed):
        release(db, workspace, run.id, signed_by="rita", author="rita")
    with pytest.raises(NotAllowed):
        save_gate(db, workspace, dataset="news", author="rita", accuracy=0.5)
    made = release(db, workspace, run.id, signed_by="rita", author="boss")
    with pytest.raises(NotAllowed):
        put_in_force(db, made.release.number, author="rita")


def test_lineage_leads_from_the_titles_to_the_release_with_commands(db, workspace, version):
    save_gate(db, workspace, dataset="news", author="ann", accuracy=0.5)
    run = candidate(workspace, version, seed=7)
    sign(db, workspace, run, name="2026-12")
    steps = lineage(db, workspace, run)
    assert [step.code for step in steps] == [
        "data", "base", "training", "evaluation", "evaluation", "gate", "release",
    ]  # fmt: skip
    facts = dict(steps[0].facts)
    assert facts["sha256"] == version.sha256 and "news-studio freeze news" in steps[0].command
    assert "--dataset news@1" in steps[2].command and "--set seed=7" in steps[2].command
    assert any("--answer direct" in step.command for step in steps)
    assert dict(steps[-1].facts)["名字"] == "2026-12"
