"""Small rows, small files and the real course set, for the tests of the data side."""

import json
from pathlib import Path
from typing import Any

import pytest

from studio.ingest.importer import import_path
from studio.samples.scheme import load_scheme
from studio.store import Store, open_store
from studio.workspace import Workspace, open_workspace

SCHEME = load_scheme()
COURSE = Path(__file__).resolve().parent.parent.parent.parent / "shared" / "data" / "course_news_300"

needs_course_set = pytest.mark.skipif(
    not COURSE.is_dir(),
    reason="the course set is not shipped; it is beside the repository where there is one",
)

CHAIN = (
    "先看体育。“绝杀”和“主场”都是赛场上的词，讲的是一场比赛怎样分出胜负，主角是球队而不是俱乐部的买卖，"
    "读者想知道的是比分和最后一球，所以归体育。"
)
"""A chain without a lint remark, for the title below."""
TITLE = "主队主场绝杀对手，终场前三秒投进三分"


def sample(title: str = TITLE, category: str = "体育", chain: str = CHAIN, **extra: Any) -> dict[str, Any]:
    """Make a conversation in canonical form."""
    return conversation(f"新闻分类：{title}", f"<think>\n{chain}\n</think>\n\n{category}", **extra)


FOUR = ("体育", "娱乐", "国际", "健康")


def numbered(count: int, start: int = 0, *, varied: bool = False) -> list[dict[str, Any]]:
    """Make `count` different short conversations of four categories; `varied`: of three lengths."""
    return [
        sample(f"第{i}条标题" * (1 + i % 3 if varied else 1), FOUR[i % 4], f"看“第{i}条”，归{FOUR[i % 4]}。")
        for i in range(start, start + count)
    ]


def conversation(question: Any, answer: Any, **extra: Any) -> dict[str, Any]:
    """Make a ShareGPT conversation of one question and one answer."""
    return {
        "conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}],
        **extra,
    }


def write_json(path: Path, value: Any) -> Path:
    """Write a JSON file as people have them: UTF-8, Chinese unescaped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


def write_folder(folder: Path, **splits: list[Any]) -> Path:
    """Write a folder with dataset_info.json and one ShareGPT file for each split."""
    entries = {name: {"file_name": f"{name}.json", "formatting": "sharegpt"} for name in splits}
    write_json(folder / "dataset_info.json", entries)
    for name, rows in splits.items():
        write_json(folder / f"{name}.json", rows)
    return folder


def new_store(folder: Path) -> tuple[Store, Workspace]:
    """Open an empty workspace; returns its database and the workspace."""
    workspace = open_workspace(folder)
    return open_store(workspace.database), workspace


SUBJECTS = ("消防员", "老教师", "钢琴家", "卡车司机", "研究生", "护林员", "船长", "厨师", "快递员", "飞行员")

EVENTS = (
    "登上春晚舞台", "获得国家奖学金", "救起落水儿童", "谈退休生活", "赴海外交流", "起诉前东家",
    "打破世界纪录", "参与月球任务", "捐出毕生积蓄", "公布最新论文", "当选人大代表", "确诊罕见疾病",
)  # fmt: skip


def unlike(count):
    """Make titles of which no two are near duplicates."""
    pairs = [f"{subject}{event}" for event in EVENTS for subject in SUBJECTS]
    return [f"{pair}：{ord(pair[0]) * 7919 % 9973}" for pair in pairs[:count]]


def import_titles(opened, titles, tmp_path, name="rows.json", category=None):
    """Import answered titles without a split."""
    rows = [sample(title, category or SCHEME.names[len(title.split("！")[0]) % 10]) for title in titles]
    import_path(opened[0], write_json(tmp_path / name, rows), SCHEME)
