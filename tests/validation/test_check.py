"""Every kind of problem is found, named with its row, and repaired where that is safe."""

import json

import pytest

from studio.errors import InputError, UnreadableFile
from studio.samples.label_matching import near_categories, proposal
from studio.validation.check import check_path
from studio.validation.repair import write_repaired
from studio.workspace import BUNDLED_DATASET
from tests.support.full_disk import error_on_a_full_disk
from tests.support.samples import (
    CHAIN,
    COURSE,
    SCHEME,
    TITLE,
    conversation,
    needs_course_set,
    sample,
    write_folder,
    write_json,
)

QUESTION = f"新闻分类：{TITLE}"
SYSTEM = [{"from": "system", "value": "你是编辑"}]
GOOD = f"<think>\n{CHAIN}\n</think>\n\n体育"


def problems_of(tmp_path, *rows):
    """Check the rows, without missing categories, which are no news in so few."""
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    report = check_path(tmp_path / "rows.json", SCHEME)
    return [problem for problem in report.problems if problem.code != "category_missing"]


def test_a_good_row_has_no_problem(tmp_path):
    assert problems_of(tmp_path, sample()) == []


def test_the_bundled_set_has_no_problem():
    report = check_path(BUNDLED_DATASET, SCHEME)
    assert (report.rows, report.valid, list(report.problems)) == (400, 400, [])


@pytest.mark.parametrize(
    ("row", "code", "severity"),
    [
        (7, "wrong_type", "error"),
        ({"id": 1}, "missing_key", "error"),
        ({"conversations": []}, "missing_key", "error"),
        ({"conversations": "text"}, "wrong_type", "error"),
        ({"conversations": [{"from": "human"}]}, "missing_key", "error"),
        ({"conversations": ["hello"]}, "wrong_type", "error"),
        (conversation(QUESTION, None), "null_value", "error"),
        (conversation(QUESTION, ""), "empty_answer", "error"),
        (conversation(QUESTION, "<think>\n想\n</think>\n\n"), "empty_answer", "error"),
        (conversation("新闻分类：", GOOD), "empty_title", "error"),
        ({"conversations": [{"from": "bot", "value": "x"}]}, "unknown_role", "error"),
        ({"conversations": conversation(QUESTION, GOOD)["conversations"][::-1]}, "role_order", "error"),
        ({"conversations": conversation(QUESTION, GOOD)["conversations"][:1]}, "odd_turns", "error"),
        (
            {"conversations": SYSTEM + conversation(QUESTION, GOOD)["conversations"] + SYSTEM},
            "system_misplaced",
            "error",
        ),
        ({"conversations": conversation(QUESTION, GOOD)["conversations"] * 2}, "more_turns", "warning"),
        (conversation(QUESTION, "体育"), "think_missing", "warning"),
        (conversation(QUESTION, f"<think>{CHAIN}"), "think_unclosed", "error"),
        (conversation(QUESTION, "<think>a</think><think>b</think>体育"), "think_repeated", "error"),
        (conversation(QUESTION, "<think>\n\n</think>\n\n体育"), "think_empty", "hint"),
        (conversation(QUESTION, f"<think>{CHAIN}</think>体育"), "think_form", "warning"),
        (conversation(QUESTION, f"{CHAIN}</think>体育"), "think_form", "warning"),
        (conversation(QUESTION, GOOD.replace("\n体育", "\n流水常至")), "answer_not_category", "error"),
        (conversation(TITLE, GOOD), "prefix_missing", "warning"),
        (sample(f"{TITLE}\ud83d"), "encoding", "warning"),
        (sample(chain=CHAIN.replace("所以归体育", "所以归经济")), "chain_contradicts", "warning"),
    ],
)
def test_each_problem_is_found_and_nothing_else(tmp_path, row, code, severity):
    (problem,) = problems_of(tmp_path, row)
    assert (problem.file, problem.row, problem.code, problem.severity) == ("rows.json", 1, code, severity)


@pytest.mark.parametrize(
    ("label", "repair", "kind", "proposal"),
    [
        ("“体育”", "体育", "answer_quoted", None),
        ("体育\n\n体育", "体育", "answer_doubled", None),
        ("体育类。", "体育", "answer_extra_text", None),
        ("类别：体育", None, "answer_extra_text", "体育"),
        ("体育或娱乐", None, "answer_extra_text", None),
        ("politics", None, "answer_english", "政治"),
        ("军事", None, "answer_synonym", "国际"),
        ("财经", None, "answer_synonym", "经济"),
    ],
)
def test_only_a_safe_repair_is_offered_and_the_fault_is_named(tmp_path, label, repair, kind, proposal):
    problem, hint = problems_of(tmp_path, conversation(QUESTION, f"<think>\n{CHAIN}\n</think>\n\n{label}"))
    assert (problem.code, problem.repair, problem.found) == ("answer_not_category", repair, label)
    assert (hint.code, hint.severity) == (kind, "hint")
    assert problem.proposal == hint.proposal == proposal


@pytest.mark.parametrize(
    ("label", "near"),
    [
        ("金融", ["经济"]),
        ("politics", ["政治"]),
        ("political", ["政治"]),
        ("国防科技", ["科技"]),
        ("流水常至", []),
    ],
)
def test_near_categories_come_from_the_scheme(label, near):
    assert near_categories(label, SCHEME) == near


def test_two_near_categories_are_no_proposal():
    assert proposal("国际体育", SCHEME) is None
    assert proposal("时尚", SCHEME) == "娱乐"


def test_a_near_category_is_suggested_but_not_repaired(tmp_path):
    problem, _ = problems_of(tmp_path, conversation(QUESTION, GOOD.replace("\n体育", "\n金融")))
    assert "经济" in problem.message
    assert problem.repair is None


def test_duplicates_and_conflicts_name_the_first_row(tmp_path):
    found = problems_of(tmp_path, sample(), sample(f"{TITLE}！"), sample(category="娱乐", chain=""))
    assert [(p.row, p.code) for p in found if not p.code.startswith(("chain", "think"))] == [
        (2, "duplicate_title"),
        (3, "duplicate_title"),
        (3, "conflicting_labels"),
    ]
    assert "第 1 行" in found[0].message


def test_a_title_in_both_splits_is_found(tmp_path):
    folder = write_folder(tmp_path / "set", train=[sample()], eval=[sample()])
    (problem,) = [p for p in check_path(folder, SCHEME).problems if p.code == "in_both_splits"]
    assert (problem.file, problem.row) == ("eval.json", 1)


def test_missing_categories_are_reported_once_a_file(tmp_path):
    report = check_path(write_json(tmp_path / "rows.json", [sample()]), SCHEME)
    (problem,) = report.problems
    assert (problem.code, problem.row) == ("category_missing", None)
    assert len(problem.found.split(", ")) == 9


def test_plain_titles_have_nothing_to_check(tmp_path):
    (tmp_path / "a.txt").write_text("女排夺冠\n央行降息", encoding="utf-8")
    report = check_path(tmp_path / "a.txt", SCHEME)
    assert (report.rows, report.valid, list(report.problems)) == (2, 2, [])


def test_an_entry_without_its_blocks_gets_them_as_repair(tmp_path):
    folder = write_folder(tmp_path / "set", train=[sample()])
    (problem,) = [p for p in check_path(folder, SCHEME).problems if p.file == "dataset_info.json"]
    assert (problem.code, problem.severity) == ("info_incomplete", "hint")
    assert json.loads(problem.repair)["train"]["tags"]["system_tag"] == "system"


def remarks_on(tmp_path, row, **entry):
    """Check a dataset_info.json with one entry over one row; its problems by code."""
    write_json(tmp_path / "a.json", [row])
    write_json(tmp_path / "dataset_info.json", {"train": {"file_name": "a.json", **entry}})
    report = check_path(tmp_path, SCHEME)
    assert not report.unreadable  # an entry that must be repaired is no unreadable file
    return {p.code: p for p in report.problems if p.row is None and p.code != "category_missing"}


def test_an_incomplete_block_is_worse_than_none(tmp_path):
    entry = {"formatting": "sharegpt", "tags": {"role_tag": "from"}, "colums": {}}
    found = remarks_on(tmp_path, sample(), **entry)
    assert found["info_incomplete"].severity == "error"
    assert "colums" in found["info_unknown_key"].message


def test_a_tag_that_can_be_missed_is_a_warning(tmp_path):
    tags = {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"}
    (problem,) = remarks_on(
        tmp_path, sample(), formatting="sharegpt", columns={"messages": "conversations"}, tags=tags
    ).values()
    assert (problem.code, problem.severity) == ("info_incomplete", "warning")
    assert "tags.system_tag" in problem.message


def test_a_named_column_that_no_row_has_stops_llamafactory(tmp_path):
    columns = {"messages": "conversations", "system": "system"}
    found = remarks_on(tmp_path, sample(), formatting="sharegpt", columns=columns)
    assert (found["missing_key"].severity, found["missing_key"].found) == ("error", "system")
    row = {"instruction": QUESTION, "output": GOOD}
    assert remarks_on(tmp_path, row)["missing_key"].found == "input"


@pytest.mark.parametrize(("left_out", "severity"), [("query", "warning"), ("response", "error")])
def test_an_incomplete_block_of_alpaca_is_reported(tmp_path, left_out, severity):
    columns = {"prompt": "instruction", "query": "input", "response": "output"}
    del columns[left_out]
    row = {"instruction": "新闻分类：", "input": TITLE, "output": GOOD}
    problem = remarks_on(tmp_path, row, columns=columns)["info_incomplete"]
    assert problem.severity == severity
    assert set(json.loads(problem.repair)["train"]["columns"]) == {"prompt", "query", "response"}


def test_formatting_openai_is_repaired_to_sharegpt_with_tags(tmp_path):
    turns = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": GOOD}]
    problem = remarks_on(tmp_path, {"messages": turns}, formatting="openai")["info_incomplete"]
    repaired = json.loads(problem.repair)["train"]
    assert (problem.severity, repaired["formatting"]) == ("error", "sharegpt")
    assert "info_incomplete" not in remarks_on(tmp_path, {"messages": turns}, **repaired)


def test_a_report_of_an_unreadable_file_is_a_report(tmp_path):
    (tmp_path / "a.json").write_text('[{"conversations": [')
    report = check_path(tmp_path / "a.json", SCHEME)
    assert report.counts == {"unreadable": 1}
    assert (report.rows, report.valid, len(report.unreadable)) == (0, 0, 1)


def test_json_keys_are_those_that_others_rely_on(tmp_path):
    document = check_path(write_json(tmp_path / "a.json", [conversation(QUESTION, "")]), SCHEME).to_json()
    assert list(document) == ["rows", "valid", "counts", "problems"]
    (problem,) = document["problems"]
    assert set(problem) >= {"file", "row", "code", "severity", "message", "repair"}


@needs_course_set
def test_the_course_set_has_exactly_its_35_faulty_answers():
    report = check_path(COURSE, SCHEME)
    faulty = [problem for problem in report.problems if problem.code == "answer_not_category"]
    per_file = [sum(p.file == name for p in faulty) for name in ("train.json", "eval.json")]
    assert (report.rows, report.valid, per_file) == (400, 365, [29, 6])
    assert {p.row: p.repair for p in faulty if p.file == "train.json" and p.repair} == {
        19: "经济",
        175: "社会",
        177: "国际",
        282: "教育",
    }


def test_fix_repairs_what_is_safe_and_keeps_the_rest(tmp_path):
    broken = conversation(QUESTION, "<think>没有结束", id=3)
    rows = [conversation(TITLE, f"<think>{CHAIN}</think>“体育”", id=1), sample(id=2), broken]
    out = tmp_path / "new" / "out.json"
    repaired = write_repaired(write_json(tmp_path / "in.json", rows), out, SCHEME)
    assert (repaired.rows, repaired.changed) == (3, 1)
    assert json.loads(out.read_text(encoding="utf-8")) == [sample(id=1), sample(id=2), broken]


def test_fix_turns_other_forms_into_sharegpt(tmp_path):
    rows = [
        {"instruction": "新闻分类：", "input": TITLE, "output": GOOD, "system": "你是编辑"},
        {"messages": [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": GOOD}]},
    ]
    write_repaired(write_json(tmp_path / "in.json", rows), tmp_path / "out.json", SCHEME)
    first, second = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert first["conversations"] == [{"from": "system", "value": "你是编辑"}, *sample()["conversations"]]
    assert second == sample()


def test_fix_of_a_folder_completes_dataset_info(tmp_path):
    folder = write_folder(tmp_path / "set", train=[sample()], eval=[sample("女排夺冠")])
    write_repaired(folder, tmp_path / "out", SCHEME)
    assert check_path(tmp_path / "out", SCHEME).counts.get("info_incomplete") is None
    assert (tmp_path / "out" / "eval.json").is_file()


def test_fix_of_gbk_writes_utf8(tmp_path):
    (tmp_path / "in.json").write_bytes(json.dumps([sample()], ensure_ascii=False).encode("gbk"))
    write_repaired(tmp_path / "in.json", tmp_path / "out.json", SCHEME)
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8")) == [sample()]


def test_fix_never_writes_over_anything(tmp_path):
    path = write_json(tmp_path / "in.json", [sample()])
    before = path.read_bytes()
    with pytest.raises(InputError, match="已经存在"):
        write_repaired(path, path, SCHEME)
    assert path.read_bytes() == before


@pytest.mark.parametrize("way", ["../set/a.json", "{folder}/a.json"])
def test_fix_does_not_follow_a_path_back_into_the_input(tmp_path, way):
    folder = tmp_path / "set"
    rows = write_json(folder / "a.json", [conversation(QUESTION, f"<think>{CHAIN}</think>体育")])
    before = rows.read_bytes()
    entry = {"file_name": way.format(folder=folder), "formatting": "sharegpt"}
    write_json(folder / "dataset_info.json", {"train": entry})
    with pytest.raises(UnreadableFile, match="文件夹之外"):
        write_repaired(folder, tmp_path / "out", SCHEME)
    assert rows.read_bytes() == before and not (tmp_path / "out").exists()


def test_every_changed_row_is_logged_before_and_after(tmp_path):
    rows = [conversation(TITLE, f"<think>{CHAIN}</think>“体育”", id=1), sample(id=2)]
    path = write_json(tmp_path / "in.json", rows)
    repaired = write_repaired(path, tmp_path / "out.json", SCHEME)
    assert repaired.changes == tmp_path / "out.repairs.jsonl"
    (line,) = repaired.changes.read_text(encoding="utf-8").splitlines()
    change = json.loads(line)
    assert (change["file"], change["row"], change["before"]) == ("in.json", 1, rows[0])
    assert change["after"] == sample(id=1)
    assert set(change["codes"]) == {"prefix_missing", "think_form", "answer_not_category", "answer_quoted"}


def test_no_repair_is_silent(tmp_path):
    answers = ["体育 ", f"<think>\n {CHAIN}\n</think>\n\n体育", f"{GOOD}\n", " “体育”"]
    rows = [conversation(QUESTION, answer) for answer in answers]
    rows.append(conversation(f" 新闻分类： {TITLE}", GOOD))
    repaired = write_repaired(write_json(tmp_path / "in.json", rows), tmp_path / "out.json", SCHEME)
    changes = [json.loads(line) for line in repaired.changes.read_text(encoding="utf-8").splitlines()]
    assert [change["row"] for change in changes] == [1, 2, 3, 4, 5]
    assert all(change["codes"] for change in changes)


def test_fix_is_for_conversations(tmp_path):
    (tmp_path / "in.csv").write_text("标题,类别\n女排夺冠,体育\n", encoding="utf-8")
    with pytest.raises(InputError, match="import"):
        write_repaired(tmp_path / "in.csv", tmp_path / "out.json", SCHEME)


def test_fix_on_a_full_disk_leaves_nothing(tmp_path):
    path = write_json(tmp_path / "in.json", [sample()] * 30)
    error = error_on_a_full_disk(4096, lambda: write_repaired(path, tmp_path / "out.json", SCHEME))
    assert error.startswith("DiskFull")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in.json"]
