"""Decisions become preference pairs: each kind with its provenance, nothing that is evaluated."""

import json

import pytest
from typer.testing import CliRunner

from studio.annotation import annotations, requeue, review
from studio.cli.main import app
from studio.corpus.titles import get_title
from studio.datasets.lookup import resolve_dataset
from studio.datasets.mixed_eval import with_eval_of
from studio.datasets.pair_versions import find_pair_version, list_pair_versions
from studio.datasets.versions import freeze
from studio.errors import InputError, NothingToFreeze, UnreadableFile
from studio.ingest.importer import import_path, import_text
from studio.operations.rebuild import rebuild
from studio.preferences.collecting import collect
from studio.preferences.export import export_pairs
from studio.preferences.freezing import freeze_pairs
from studio.preferences.selection import PairFilter, select
from studio.validation.check import check_path
from studio.workspace import BUNDLED_DATASET, open_workspace
from tests.support.evaluations import finished, predictions, titles
from tests.support.samples import SCHEME, numbered, write_folder
from tests.support.team import dispute, label, share, team

WANG, CHEN = "写“降息”，是经济。", "讲民生，是社会。"


@pytest.fixture
def workspace(tmp_path):
    return open_workspace(tmp_path / "home")


@pytest.fixture
def db(workspace):
    return team(workspace.home)


def settle(db, title, category, chain=None, note=None):
    return review.decide(
        db, title.id, category=category, chain=chain, author="zhao", seen_revision=title.revision, note=note
    )


def settled(db):
    return settle(db, dispute(share(db), wang=WANG, chen=CHEN), "社会", chain=CHEN, note="看主角")


def test_a_settled_dispute_prefers_the_winner_over_each_loser(db):
    title = settled(db)
    [pair] = collect(db)
    assert (pair.kind, pair.title_id, pair.form, pair.confused) == (
        "dispute",
        title.id,
        "chain",
        ("社会", "经济"),
    )
    assert (pair.chosen.chain, pair.rejected.chain, pair.rejected.by) == (CHEN, WANG, "wang")
    assert (pair.person, pair.comment_text) == ("zhao", "看主角")
    assert pair.sources["event_id"] == title.decision_id and pair.sources["annotation_id"]
    assert pair.answer("chosen") == f"<think>\n{CHEN}\n</think>\n\n社会"


def test_a_review_that_was_taken_back_or_overruled_is_no_pair(db):
    title = settled(db)
    review.undo(db, author="zhao", settings=review.LabelSettings())
    assert collect(db) == []
    settle(db, get_title(db, title.id), "经济", chain=WANG)
    assert [pair.confused for pair in collect(db)] == [("经济", "社会")]


def test_without_both_chains_the_categories_alone_are_compared(db):
    title = dispute(share(db), wang=WANG)
    settle(db, title, "社会")
    [pair] = collect(db)
    assert pair.form == "direct" and pair.answer("rejected") == "<think>\n\n</think>\n\n经济"


def test_an_edited_chain_is_preferred_over_the_one_before(db):
    title = label(db, "wang", "经济", chain=WANG)
    settle(db, title, "经济", chain="“降息”是央行的货币政策，归经济。", note="要引原文")
    [pair] = collect(db)
    assert (pair.kind, pair.confused, pair.comment_text) == ("edit", None, "要引原文")
    assert (pair.rejected.chain, pair.rejected.by) == (WANG, "wang")


def test_what_was_sent_back_loses_to_what_it_became(db):
    title = label(db, "wang", "社会", chain=CHEN)
    review.send_back(
        db, title.id, comment="主角是央行", author="zhao", addressee="wang", seen_revision=title.revision
    )
    back = get_title(db, title.id)
    annotations.annotate(
        db, title.id, category="经济", chain=WANG, author="wang", seen_revision=back.revision
    )
    [pair] = collect(db)
    assert (pair.confused, pair.person, pair.comment_text) == (("经济", "社会"), "zhao", "主角是央行")


def test_a_reported_answer_loses_to_the_category_that_people_gave(db):
    title = requeue.add_wrong(
        db, "火箭发射成功", "体育", "zhao", chain="“成功”像赛场，归体育。", model="demo"
    ).title
    assert collect(db) == []
    chain = "“火箭发射”是航天，归科技。"
    annotations.annotate(
        db, title.id, category="科技", chain=chain, author="wang", seen_revision=title.revision
    )
    [pair] = collect(db)
    assert (pair.kind, pair.rejected.by, pair.form) == ("wrong", "demo", "chain")
    assert pair.rejected.chain == "“成功”像赛场，归体育。"


def test_an_edited_draft_is_preferred_over_what_the_teacher_wrote(db):
    title = label(db, "wang", "经济")
    db.execute(
        "insert into drafts (title_id, decision_id, category, chain, model, endpoint, run_id, remarks)"
        " values (?, ?, '经济', '因为是经济。', 'qwen-max', 'here', 'r1', '[]')",
        [title.id, title.decision_id],
    )
    drafts = pytest.importorskip("studio.teacher.drafts")
    drafts.accept(db, 1, category="经济", chain=WANG, author="chen", seen_revision=title.revision)
    [pair] = collect(db)
    assert (pair.kind, pair.rejected.by, pair.person) == ("draft", "qwen-max", "chen")
    assert (pair.chosen.chain, pair.rejected.chain) == (WANG, "因为是经济。")


def test_two_runs_that_differ_make_pairs_and_ask_for_two(db, workspace):
    names = titles(8)
    a = finished(workspace, predictions(names, lambda row: row < 5, chain="甲的理由。"), label="a")
    b = finished(workspace, predictions(names, lambda row: row >= 3, chain="乙的理由。"), label="b")
    found = select(db, workspace, run_ids=[a.id, b.id])
    assert found.by_kind["runs"] == 6
    assert {pair.sources["rejected_run"] for pair in found.pairs} == {a.id, b.id}
    with pytest.raises(InputError, match="2"):
        select(db, workspace, run_ids=[a.id])


def corrected(db, text):
    """A title that wang labelled and a reviewer corrected."""
    [(title_id,)] = db.execute("select id from titles where text = ?", [text]).fetchall()
    seen = get_title(db, title_id).revision
    title = annotations.annotate(db, title_id, category="经济", chain=WANG, author="wang", seen_revision=seen)
    return settle(db, title, "社会", chain=CHEN)


def test_titles_that_are_evaluated_and_near_duplicates_are_left_out(db, workspace):
    names = [
        "央行昨天宣布降息二十五个基点，房贷利率跟着下调",
        "央行昨天宣布降息二十五个基点，房贷利率跟着下调了",
    ]
    import_text(db, "\n".join(names), SCHEME)
    first, twin = (corrected(db, name) for name in names)
    found = select(db, workspace)
    assert ([pair.title_id for pair in found.pairs], found.near_duplicates) == ([twin.id], 1)
    db.execute("update titles set split = 'eval' where id = ?", [first.id])
    found = select(db, workspace)
    assert (found.pairs, found.evaluated) == ((), 2)


@pytest.fixture
def version(db, workspace):
    settled(db)
    return freeze_pairs(db, workspace, "pairs", select(db, workspace), author="zhao", scheme=SCHEME)


def test_a_frozen_version_holds_rows_provenance_and_counts(db, workspace, version):
    known = json.loads(version.files["version.json"])
    assert known["rows"][0]["person"] == "zhao" and known["counts"]["by_kind"]["dispute"] == 1
    assert json.loads(version.files["dataset_info.json"])["train"]["ranking"] is True
    assert not [p for p in check_path(version.folder, SCHEME).problems if p.severity == "error"]
    again = freeze_pairs(db, workspace, "pairs", select(db, workspace), author="zhao", scheme=SCHEME)
    assert (again.number, again.sha256) == (2, version.sha256)
    assert [each.ref for each in list_pair_versions(workspace)] == ["pairs@2", "pairs@1"]
    assert resolve_dataset(workspace, "pairs").folder == again.folder


def test_a_changed_file_is_noticed(workspace, version):
    (version.folder / "pairs.json").write_text("[]")
    with pytest.raises(UnreadableFile, match="pairs@1"):
        find_pair_version(workspace, "pairs@1")


def test_names_are_of_titles_or_of_pairs(db, workspace, version):
    import_text(db, "甲\n乙\n丙", SCHEME)
    with pytest.raises(InputError, match="pairs"):
        freeze(db, workspace, "pairs", author="zhao", scheme=SCHEME, accept_warnings=True)
    with pytest.raises(NothingToFreeze):
        nothing = select(db, workspace).filtered(PairFilter(text="没有这个标题"))
        freeze_pairs(db, workspace, "none", nothing, author="zhao", scheme=SCHEME)


def test_pairs_take_the_eval_rows_of_a_dataset_along(workspace, version):
    mixed = with_eval_of(workspace, version.folder, BUNDLED_DATASET)
    info = json.loads((mixed.folder / "dataset_info.json").read_text())
    assert info["train"]["ranking"] is True and (mixed.rows, mixed.seen) == (100, 0)


def test_an_eval_row_that_is_a_pair_is_noticed(tmp_path, workspace, version):
    question = json.loads(version.files["pairs.json"])[0]["conversations"][0]["value"]
    rows = numbered(2)
    rows[0]["conversations"][0]["value"] = question
    leaky = write_folder(tmp_path / "leaky", train=numbered(2), eval=rows)
    assert with_eval_of(workspace, version.folder, leaky).seen == 1


def test_the_forms_load_in_datasets(tmp_path, version):
    datasets = pytest.importorskip("datasets")
    for form, columns in (
        ("trl", {"prompt", "chosen", "rejected"}),
        ("unpaired", {"prompt", "completion", "label"}),
    ):
        folder = tmp_path / form
        folder.mkdir()
        for name, content in export_pairs(version.files, form).items():
            (folder / name).write_bytes(content)
        loaded = datasets.load_dataset(
            "json", data_files=str(folder / "pairs.jsonl"), split="train", cache_dir=str(tmp_path / "cache")
        )
        assert set(loaded.column_names) == columns
        assert loaded[0]["prompt"][0]["role"] == "user"


def test_the_commands_list_freeze_and_export(tmp_path, db, workspace):
    settled(db)
    run = CliRunner().invoke
    home = ["--home", str(workspace.home)]
    listed = json.loads(run(app, ["pairs", "list", "--json", *home]).stdout)
    assert listed["pairs"] == 1 and listed["by_confused"] == [
        {"chosen": "社会", "rejected": "经济", "pairs": 1}
    ]
    done = run(app, ["pairs", "freeze", "duels", *home])
    assert done.exit_code == 0 and "duels@1" in done.stdout and "100" in done.stderr
    assert json.loads(run(app, ["pairs", "versions", "--json", *home]).stdout)[0]["ref"] == "duels@1"
    out = tmp_path / "out"
    assert run(app, ["pairs", "export", "duels", str(out), "--form", "llamafactory", *home]).exit_code == 0
    assert {"pairs.json", "dataset_info.json", "provenance.json", "SHA256SUMS"} <= {
        p.name for p in out.iterdir()
    }
    assert run(app, ["pairs", "export", "duels", str(out), *home]).exit_code == 2
    assert run(app, ["pairs", "export", "nobody", str(tmp_path / "o"), *home]).exit_code == 2
    assert run(app, ["pairs", "freeze", "empty", "--kind", "draft", *home]).exit_code == 1


@pytest.mark.parametrize("form", ["trl", "unpaired"])
def test_trl_trains_on_what_is_exported(tmp_path, monkeypatch, db, workspace, form):
    """On its own, with its own template: nothing of ours is between the file and its trainer."""
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

    from backend.data.templates import Renderer
    from tests.support.tiny_models import save_tiny_model

    names = ["央行昨天宣布降息二十五个基点", "村民起诉开发商一审胜诉"]
    import_text(db, "\n".join(names), SCHEME)
    for name in names:
        corrected(db, name)
    version = freeze_pairs(db, workspace, "pairs", select(db, workspace), author="zhao", scheme=SCHEME)
    file = tmp_path / "pairs.jsonl"
    file.write_bytes(export_pairs(version.files, form)["pairs.jsonl"])
    model = save_tiny_model(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template = Renderer(tokenizer).chat_template
    config, trainer, more = {
        "trl": (DPOConfig, DPOTrainer, {}),
        "unpaired": (KTOConfig, KTOTrainer, {"train_sampling_strategy": "sequential"}),
    }[form]
    monkeypatch.setattr(trainer, "_send_telemetry", lambda _: None)  # it would tell its hub of our test
    trained = trainer(
        model=AutoModelForCausalLM.from_pretrained(model),
        args=config(
            output_dir=str(tmp_path / "out"),
            max_steps=1,
            per_device_train_batch_size=2,
            report_to="none",
            save_strategy="no",
            use_cpu=True,
            bf16=False,
            **more,
        ),
        train_dataset=load_dataset(
            "json", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache")
        ),
        processing_class=tokenizer,
    )
    assert trained.train().training_loss > 0


def test_a_lost_database_is_rebuilt_beside_pairs_which_need_none(db, workspace, version):
    import_path(db, BUNDLED_DATASET, SCHEME)
    freeze(db, workspace, "titles", author="zhao", scheme=SCHEME, accept_warnings=True)
    db.conn.close()
    for file in workspace.home.glob("studio.db*"):
        file.unlink()
    assert rebuild(workspace).versions == ["titles@1"]
    assert find_pair_version(workspace, "pairs") == version
