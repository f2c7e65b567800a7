"""No row is lost: repeats are merged and counted, doubtful answers wait with their reason."""

import threading

import pytest
from samples import (
    CHAIN,
    COURSE,
    SCHEME,
    TITLE,
    conversation,
    needs_course_set,
    new_store,
    sample,
    write_folder,
    write_json,
)

from studio import annotations
from studio.errors import UnreadableFile
from studio.importing import import_path, import_text
from studio.store import open_store
from studio.titles import category_counts, count_by_status, find_title, get_title, next_waiting
from studio.workspace import BUNDLED_DATASET


@pytest.fixture
def db(tmp_path):
    return new_store(tmp_path / "home")[0]


def take(db, tmp_path, *rows, name="rows.json"):
    return import_path(db, write_json(tmp_path / name, list(rows)), SCHEME)


def rows_kept(db):
    return db.execute("select count(*) from imported_rows").fetchone()[0]


def test_a_pasted_list_waits_in_its_order(db):
    report = import_text(db, "央行宣布降息\n\n 女排逆转夺冠 \n央行：宣布降息", SCHEME)
    assert (report.rows, report.added, report.merged, report.waiting) == (3, 2, 1, 2)
    assert [title.text for title in next_waiting(db, limit=9)] == ["央行宣布降息", "女排逆转夺冠"]


def test_a_good_conversation_arrives_decided(db, tmp_path):
    report = take(db, tmp_path, sample())
    title = get_title(db, 1)
    assert (report.decided, report.waiting) == (1, 0)
    assert (title.text, title.category, title.chain, title.author) == (TITLE, "体育", CHAIN, "import")


@pytest.mark.parametrize(
    ("answer", "note", "proposal", "chain"),
    [
        ("<think>\n想\n</think>\n\n商业", "商业", None, "想"),
        ("<think>\n想\n</think>\n\n“体育”", "“体育”", "体育", "想"),
        ("<think>\n想\n</think>\n\n金融", "金融", "经济", "想"),
        ("<think>没有结束", "</think>", None, "没有结束"),
        ("", "空", None, None),
    ],
)
def test_a_doubtful_answer_waits_with_its_reason(db, tmp_path, answer, note, proposal, chain):
    take(db, tmp_path, conversation(f"新闻分类：{TITLE}", answer))
    title = get_title(db, 1)
    assert (title.status, title.category, title.proposal, title.chain) == ("waiting", None, proposal, chain)
    assert note in title.note


def test_a_table_with_categories_arrives_decided(db, tmp_path):
    (tmp_path / "a.csv").write_text("标题,类别\n女排夺冠,体育\n央行降息,财经\n", encoding="utf-8")
    report = import_path(db, tmp_path / "a.csv", SCHEME)
    assert (report.decided, report.waiting) == (1, 1)


def test_a_row_without_a_title_is_refused_by_name(db, tmp_path):
    report = take(db, tmp_path, sample(), {"id": 3}, conversation("新闻分类：", "体育"))
    assert [(row["file"], row["row"]) for row in report.refused] == [("rows.json", 2), ("rows.json", 3)]
    assert report.rows == report.added + report.merged + len(report.refused)


def test_a_row_out_of_order_still_brings_its_title(db, tmp_path):
    take(db, tmp_path, {"conversations": sample()["conversations"][::-1]})
    title = get_title(db, 1)
    assert (title.text, title.status) == (TITLE, "waiting")


def test_rows_that_disagree_make_the_title_wait(db, tmp_path):
    report = take(db, tmp_path, sample(), sample(category="娱乐"))
    title = get_title(db, 1)
    assert (report.added, report.merged, title.status, title.proposal) == (1, 1, "waiting", "体育")
    assert "“体育”、“娱乐”" in title.note
    assert any("不一致" in note for note in report.notes)


def test_rows_that_mean_the_same_agree(db, tmp_path):
    take(db, tmp_path, sample(category="“体育”", chain=""), sample())
    assert (get_title(db, 1).category, get_title(db, 1).chain) == ("体育", CHAIN)


def test_one_faulty_answer_beside_a_good_one_is_a_disagreement(db, tmp_path):
    take(db, tmp_path, sample(category="军事"), sample())
    assert get_title(db, 1).status == "waiting"


def test_what_rows_say_does_not_depend_on_the_order_of_files(tmp_path):
    stands = []
    for place, names in enumerate((("one", "two"), ("two", "one"))):
        db, _ = new_store(tmp_path / str(place))
        for name in names:
            category = {"one": "体育", "two": "娱乐"}[name]
            take(db, tmp_path, sample(category=category), name=f"{name}.json")
        stands.append(get_title(db, 1).status)
    assert stands == ["waiting", "waiting"]


def test_importing_again_changes_nothing(db, tmp_path):
    rows = [sample(), sample("国足备战", "军事"), sample(category="娱乐")]
    take(db, tmp_path, *rows)
    before = [get_title(db, 1), get_title(db, 2)]
    report = take(db, tmp_path, *rows)
    assert (report.added, report.merged) == (0, 3)
    assert [get_title(db, 1), get_title(db, 2)] == before


def test_an_answer_decides_a_title_that_was_pasted_before(db, tmp_path):
    import_text(db, TITLE, SCHEME)
    report = take(db, tmp_path, sample())
    assert (report.added, report.merged) == (0, 1)
    assert get_title(db, 1).category == "体育"


def test_a_person_is_not_overruled_by_a_file(db, tmp_path):
    take(db, tmp_path, sample())
    seen = get_title(db, 1).revision
    annotations.annotate(db, 1, category="娱乐", author="li", seen_revision=seen)
    report = take(db, tmp_path, sample())
    assert get_title(db, 1).category == "娱乐"
    assert any("保持不变" in note for note in report.notes)


def test_a_title_sent_back_is_not_decided_by_the_old_file(db, tmp_path):
    take(db, tmp_path, sample())
    annotations.send_back(db, [1], reason="再看看", author="li")
    take(db, tmp_path, sample())
    assert get_title(db, 1).status == "waiting"


def test_evaluation_wins_over_training(db, tmp_path):
    folder = write_folder(tmp_path / "set", train=[sample(), sample("女排夺冠")], eval=[sample()])
    report = import_path(db, folder, SCHEME)
    assert [get_title(db, number).split for number in (1, 2)] == ["eval", "train"]
    assert any("评估集" in note for note in report.notes)


def test_a_later_file_can_move_a_title_to_evaluation_only(db, tmp_path):
    take(db, tmp_path, sample(), name="train.json")
    take(db, tmp_path, sample(), name="eval.json")
    assert get_title(db, 1).split == "eval"
    take(db, tmp_path, sample(), name="train.json")
    assert get_title(db, 1).split == "eval"


def test_every_row_is_kept_with_what_it_said(db, tmp_path):
    take(db, tmp_path, sample(), sample(category="军事"))
    said = db.execute("select file, row, label from imported_rows order by id").fetchall()
    assert said == [("rows.json", 1, "体育"), ("rows.json", 2, "军事")]


def test_an_unreadable_file_imports_nothing(db, tmp_path):
    folder = write_folder(tmp_path / "set", train=[sample()], eval=[sample()])
    (folder / "eval.json").write_text('[{"conversations": [')
    with pytest.raises(UnreadableFile):
        import_path(db, folder, SCHEME)
    assert count_by_status(db)["decided"] == 0


def test_the_encoding_is_noted(db, tmp_path):
    (tmp_path / "a.txt").write_bytes("女排夺冠\n央行降息".encode("gbk"))
    assert any("GB18030" in note for note in import_path(db, tmp_path / "a.txt", SCHEME).notes)


def test_labelling_goes_on_during_a_large_import(tmp_path):
    db, workspace = new_store(tmp_path)
    import_text(db, TITLE, SCHEME)
    text = "\n".join(f"第{number}号台风最新消息" for number in range(12_000))
    large = threading.Thread(target=lambda: import_text(open_store(workspace.database), text, SCHEME))
    large.start()
    for category in SCHEME.names:
        seen = get_title(db, 1).revision
        annotations.annotate(db, 1, category=category, author="li", seen_revision=seen)
    large.join()
    assert get_title(db, 1).category == SCHEME.names[-1]
    assert count_by_status(db)["waiting"] == 12_000


def test_the_bundled_set_imports_whole(db):
    report = import_path(db, BUNDLED_DATASET, SCHEME)
    assert (report.rows, report.added, report.decided) == (400, 400, 400)
    assert set(category_counts(db).values()) == {40}


@needs_course_set
def test_the_course_set_keeps_all_400_rows(db):
    report = import_path(db, COURSE, SCHEME)
    assert (report.rows, report.added, report.merged, len(report.refused)) == (400, 396, 4, 0)
    assert rows_kept(db) == 400
    assert (report.decided, report.waiting) == (360, 36)
    assert all(title.note for title in next_waiting(db, limit=99))


@needs_course_set
def test_the_title_that_the_course_set_has_in_both_splits_waits_for_evaluation(db):
    import_path(db, COURSE, SCHEME)
    title = find_title(db, "京东市值蒸发千亿，投资者们为何持续做空京东？")
    assert (title.split, title.status) == ("eval", "waiting")
    assert "经济" in title.note
    assert "国际" in title.note
