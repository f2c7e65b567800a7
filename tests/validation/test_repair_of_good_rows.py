"""`check --fix` changes no good row, and writes the prompt once, whatever the row looked like before."""

import json
import random

import pytest

from studio.formats.reader import read_rows
from studio.validation.check import check_path
from studio.validation.repair import write_repaired
from studio.validation.rows import judge_each
from tests.support.samples import SCHEME, write_json

NAMES = SCHEME.names
PIECES = (
    "央行", "C#", "-5℃", "《三体》", "A&B", "3.5%", "“双十一”", "（图）", "*ST金科", " ", "：", "，", "！", "？", "夺冠",
    "高考", "新闻分类", "体育", "上映", "<3", "90后", "…", "——", "e\u0301", "👍🏽", "𠮷野家", "'", "\\", "/", "#", "@",
)  # fmt: skip


def title(rng):
    """Generate a title in its clean form, which may hold anything that a newsroom writes."""
    text = " ".join("".join(rng.choices(PIECES, k=rng.randint(2, 9))).split())
    return text if text and not text.startswith("新闻分类") else f"标{text}"


def good_row(rng):
    """Generate a row without a fault: canonical turns, perhaps a system text, more turns and other keys."""
    asked = f"新闻分类：{title(rng)}"
    chain = (
        "“"
        + asked[5:9]
        + "”是这条新闻的主角，"
        + "读者想知道结果怎样，" * rng.randint(3, 6)
        + "所以归这一类。"
    )
    answer = f"<think>\n{chain}\n</think>\n\n{rng.choice(NAMES)}"
    turns = [{"from": "human", "value": asked}, {"from": "gpt", "value": answer}]
    if rng.random() < 0.3:
        turns.insert(0, {"from": "system", "value": "你是编辑。"})
    if rng.random() < 0.2:
        turns += [{"from": "human", "value": "为什么？"}, {"from": "gpt", "value": "因为。"}]
    row = {"conversations": turns}
    if rng.random() < 0.3:
        row["id"] = rng.randint(1, 999)
    if rng.random() < 0.2:
        row["system"] = "你是编辑。"
    return row


@pytest.mark.parametrize("seed", range(5))
def test_a_good_row_is_never_changed(tmp_path, seed):
    rng = random.Random(seed)
    rows = [good_row(rng) for _ in range(120)]
    path = write_json(tmp_path / "in.json", rows)
    faults = {p.code for p in check_path(path, SCHEME).problems if p.severity == "error" and p.row}
    assert faults <= {"conflicting_labels", "near_conflicting_labels"}, "the rows were meant to be good"
    repaired = write_repaired(path, tmp_path / "out.json", SCHEME)
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8")) == rows
    assert repaired.changed == 0


SPOILED = {
    "twice": lambda asked: f"新闻分类：{asked}",
    "half-width": lambda asked: asked.replace("：", ":", 1),
    "without": lambda asked: asked.removeprefix("新闻分类："),
    "spaces": lambda asked: f"  {asked.replace('：', '： ', 1)} ",
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("how", SPOILED)
def test_the_prompt_stands_once_after_any_number_of_repairs(tmp_path, seed, how):
    rng = random.Random(seed)
    rows = [good_row(rng) for _ in range(40)]
    wanted = [
        item.title for item in judge_each(read_rows(write_json(tmp_path / "a.json", rows)).rows, SCHEME)
    ]
    for row in rows:
        turn = next(turn for turn in row["conversations"] if turn["from"] == "human")
        turn["value"] = SPOILED[how](turn["value"])
    path = write_json(tmp_path / "in.json", rows)
    for number in range(2):
        out = tmp_path / f"out{number}.json"
        write_repaired(path, out, SCHEME)
        fixed = json.loads(out.read_text(encoding="utf-8"))
        asked = [next(t["value"] for t in row["conversations"] if t["from"] == "human") for row in fixed]
        assert asked == [f"新闻分类：{title}" for title in wanted]
        assert [len(row["conversations"]) for row in fixed] == [len(row["conversations"]) for row in rows]
        path = out
