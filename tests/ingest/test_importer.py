"""No row is lost: repeats are merged and counted, doubtful answers wait with their reason."""

import json
import subprocess
import sys
import threading

import pytest

from studio.annotation import annotations
from studio.annotation import requeue as second_look
from studio.corpus import near_duplicates
from studio.corpus.titles import category_counts, count_by_status, find_title, get_title
from studio.errors import UnreadableFile, WorkspaceBusy
from studio.formats.conversations import RawRow
from studio.formats.dates import read_date
from studio.ingest._staging import only_importer, open_import_batch, stage
from studio.ingest.import_batches import list_import_batches
from studio.ingest.importer import finish_interrupted, import_path, import_rows, import_text
from studio.messages import shown
from studio.store import open_store
from studio.validation.rows import judge_rows
from studio.workspace import BUNDLED_DATASET
from tests.support.samples import (
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
from tests.support.titles import near_group, next_waiting


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
        ("<think>\n想\n</think>\n\n流水常至", "流水常至", None, "想"),
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
    assert note in shown(title.note)


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
    assert "“体育”、“娱乐”" in shown(title.note)
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
    second_look.send_back(db, [1], reason="再看看", author="li")
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


def lines_of(*texts):
    return "\n".join(texts)


def test_near_repeats_are_counted_shown_and_grouped(db):
    import_text(db, lines_of("今年高考报名人数创下历史新高", "完全不同的另一条新闻"), SCHEME)
    report = import_text(db, lines_of("今年高考报名人数又创历史新高", "今年高考报名人数创下历史新低"), SCHEME)
    assert report.near == 2
    assert [(pair.title_id, pair.earlier_id) for pair in report.near_pairs] == [(3, 1), (4, 1), (4, 3)]
    assert report.near_pairs[0].earlier_text == "今年高考报名人数创下历史新高"
    assert [near_group(db, number) for number in (1, 2, 4)] == [[1, 3, 4], [], [1, 3, 4]]
    assert near_duplicates.near_representatives(db, [2, 3, 4]) == {2: 2, 3: 1, 4: 1}


def test_a_title_between_two_groups_joins_them(db):
    base = "一二三四五六七八九十甲乙丙丁戊己庚辛壬癸"
    far, between = base[3:17] + "子丑寅", base[:17] + "子丑寅"
    import_text(db, lines_of(base, far), SCHEME)
    assert near_group(db, 1) == []
    import_text(db, between, SCHEME)
    assert near_group(db, 2) == [1, 2, 3]


def test_a_wrong_answer_brings_its_title_into_its_group(db):
    import_text(db, "今年高考报名人数创下历史新高", SCHEME)
    title = second_look.add_wrong(db, "今年高考报名人数创下历史新低", "社会", "li").title
    assert near_group(db, title.id) == [1, 2]
    assert import_text(db, "今年高考报名人数又创历史新高", SCHEME).near == 1


def test_source_date_and_batch_are_kept_on_the_title(db, tmp_path):
    (tmp_path / "a.csv").write_text(
        "标题,媒体,发布时间\n女排夺冠,新华社,2024/5/1 8:30\n央行降息,,昨天\n", encoding="utf-8"
    )
    report = import_path(db, tmp_path / "a.csv", SCHEME)
    rows = db.execute("select text, source, published_at, batch_id from titles order by id").fetchall()
    assert rows == [
        ("女排夺冠", "新华社", "2024-05-01T08:30:00", report.batch_id),
        ("央行降息", "a.csv", None, report.batch_id),
    ]
    assert any("日期" in note for note in report.notes)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-05-01", "2024-05-01"), ("2024年5月1日", "2024-05-01"), ("20240501", "2024-05-01"), ("2024.5.1", "2024-05-01"),
        ("2024-05-01T08:30:05Z", "2024-05-01T08:30:05"), ("2024-13-01", None), ("5月1日", None), ("2024-05-01 25:00", None),
    ],
)  # fmt: skip
def test_dates_are_read_as_people_write_them(text, day):
    assert read_date(text) == day


class Breaks:
    """Rows that come to a sudden end, each time they are read after the first."""

    def __init__(self, count, error):
        self.count, self.error, self.times = count, error, 0

    def __iter__(self):
        self.times += 1
        for number in range(self.count):
            yield RawRow(file="a", row=number, split=None, kind="title", record="", title=f"第{number}条")
        if self.times > 1:
            raise self.error


def everything(db):
    tables = (
        "titles",
        "imported_rows",
        "refused_rows",
        "states",
        "decisions",
        "near_signatures",
        "near_groups",
    )
    return [db.execute(f"select count(*) from {table}").fetchone()[0] for table in tables]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), UnreadableFile("a", remedy="b"), MemoryError()])
def test_an_import_that_is_cancelled_half_way_leaves_nothing(db, error):
    import_text(db, TITLE, SCHEME)
    before = everything(db)
    with pytest.raises(type(error)):
        import_rows(db, Breaks(12_000, error), SCHEME, source="a")
    assert everything(db) == before
    assert [batch.state for batch in list_import_batches(db)] == ["cancelled", "done"]


KILLED = """
import os, sys
from pathlib import Path
from studio.samples.scheme import load_scheme
from studio.ingest.importer import import_text
from studio.store import open_store

db = open_store(Path(sys.argv[1]))
stage, seen = sys.argv[2], 0

def watch(statement):
    global seen
    if statement.startswith({"open": "insert into imported_rows", "staged": "insert into near_signatures", "grouping": "insert into near_groups"}[stage]):
        seen += 1
        if seen > (6000 if stage == "open" else 1 if stage == "staged" else 0):
            os.kill(os.getpid(), 9)

db.conn.set_trace_callback(watch)
import_text(db, "\\n".join(f"第{number}号台风最新消息" for number in range(12_000)), load_scheme())
"""


@pytest.mark.parametrize(("stage", "titles"), [("open", 0), ("staged", 12_000), ("grouping", 12_000)])
def test_an_import_that_is_killed_comes_in_whole_or_not_at_all(tmp_path, stage, titles):
    db, workspace = new_store(tmp_path)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(workspace.database), stage], check=False)
    assert killed.returncode == -9
    assert sum(count_by_status(db).values()) < 12_000 or stage == "grouping"
    assert finish_interrupted(db) == 1
    assert count_by_status(db)["waiting"] == titles
    assert everything(db)[0] == titles
    assert len(near_group(db, 1)) == titles
    assert finish_interrupted(db) == 0


def test_a_swept_title_that_someone_reported_meanwhile_stays(tmp_path):
    db, workspace = new_store(tmp_path)
    subprocess.run([sys.executable, "-c", KILLED, str(workspace.database), "open"], check=False)
    second_look.add_wrong(db, "第7号台风最新消息", "社会", "li")
    finish_interrupted(db)
    assert [title.text for title in next_waiting(db, limit=9)] == ["第7号台风最新消息"]
    assert everything(db)[:2] == [1, 0]


def test_two_imports_at_once_both_come_in(tmp_path):
    db, workspace = new_store(tmp_path)
    texts = ["\n".join(f"第{number}号{word}最新消息" for number in range(6000)) for word in ("台风", "暴雨")]
    threads = [
        threading.Thread(target=lambda text=text: import_text(open_store(workspace.database), text, SCHEME))
        for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count_by_status(db)["waiting"] == 12_000
    assert [batch.state for batch in list_import_batches(db)] == ["done", "done"]


def test_an_import_beside_one_that_does_not_end_is_told_so(tmp_path):
    db, workspace = new_store(tmp_path)
    with only_importer(open_store(workspace.database)):
        with pytest.raises(WorkspaceBusy, match="另一个导入"), only_importer(db, patience_seconds=0):
            pass
        assert finish_interrupted(db) == 0


def test_staged_titles_are_seen_by_nobody(db):
    batch = open_import_batch(db, "a", "li")
    judged = judge_rows([RawRow(file="a", row=1, split=None, kind="title", record="", title=TITLE)], SCHEME)
    stage(db, judged, SCHEME, source="a", batch_id=batch)
    assert next_waiting(db) == []
    assert find_title(db, TITLE) is None
    assert near_group(db, 1) == []
    assert sum(count_by_status(db).values()) == 0


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        ("女排\x00夺\x1b[31m冠\x7f", "女排夺[31m冠"),
        ("\u202e女排夺冠\u202c\u200f\u2067", "女排夺冠"),
        ("女排夺冠🏆🎉", "女排夺冠🏆🎉"),
        ("一家三口👨\u200d👩\u200d👧出游", "一家三口👨\u200d👩\u200d👧出游"),
        ("女\u200d排夺冠\u200d", "女排夺冠"),
        ("村民\U00031359某与\ue863某获奖", "村民\U00031359某与\ue863某获奖"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
    ],
)
def test_odd_titles_become_harmless_or_stay(db, tmp_path, title, kept):
    take(db, tmp_path, {"title": title})
    assert get_title(db, 1).text == kept


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl"])
def test_a_million_characters_are_refused_by_row_and_the_rest_comes_in(db, tmp_path, name):
    titles = ["第一条", "长" * 1_000_000, "第三条"]
    if name == "a.jsonl":
        text = "\n".join(json.dumps({"title": title}, ensure_ascii=False) for title in titles)
    else:
        text = "\n".join(["标题"] * (name == "a.csv") + titles)
    (tmp_path / name).write_text(text, encoding="utf-8")
    report = import_path(db, tmp_path / name, SCHEME)
    assert (report.added, [row["row"] for row in report.refused]) == (2, [2])
    assert "1000000 个字符，最多 500" in report.refused_rows[0]["reason"]


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_only_a_line_break_separates_pasted_titles(db, mark):
    import_text(db, f"退役军人创业大赛{mark}收官\r\n第二条\r第三条\n\n第四条", SCHEME)
    texts = [title.text for title in next_waiting(db, limit=9)]
    assert texts[1:] == ["第二条", "第三条", "第四条"]
    assert texts[0].startswith("退役军人创业大赛") and texts[0].endswith("收官")
