"""A data folder as people have it who come from LLaMA-Factory: many forms behind one dataset_info.json."""

import json
from pathlib import Path
from typing import Any

import pandas

TITLES = {
    "news_alpaca": {"央行下调存款准备金率零点五个百分点": "经济", "女排姑娘逆转夺冠": "体育"},
    "news_messages": {"国产大飞机完成首次商业飞行": "科技", "孩子发烧要不要捂汗": "健康"},
    "news_openai": {"高考报名人数再创新高": "教育"},
    "news_parts": {"两国外长在维也纳会面": "国际", "村里的老戏台修好了": "国内", "影帝携新片亮相": "娱乐"},
    "news_renamed": {"小区门口的井盖丢了三个月": "社会", "全国人大常委会审议草案": "政治"},
    "news_table": {"新能源车销量同比翻番": "经济"},
    "news_sheet": {"老人走失三天后在邻县找到": "社会"},
    "news_eval": {"省队签下两名外援": "体育"},
}
"""The titles of each entry with their categories; thirteen rows in all."""

SYSTEM = "你是新闻编辑。"
PROMPT = "新闻分类："
TAGS = ("role_tag", "content_tag", "user_tag", "assistant_tag", "system_tag")
OPENAI = dict(zip(TAGS, ("role", "content", "user", "assistant", "system"), strict=True))
OTHER = dict(zip(TAGS, ("speaker", "text", "annotator", "model", "rules"), strict=True))
SHAREGPT = dict(zip(TAGS, ("from", "value", "human", "gpt", "system"), strict=True))

INFO: dict[str, Any] = {
    "news_alpaca": {
        "file_name": "alpaca.json",
        "columns": {
            "prompt": "instruction", "query": "input", "response": "output", "system": "system",
            "history": "history",
        },
    },
    "news_messages": {
        "file_name": "messages.json",
        "formatting": "sharegpt",
        "columns": {"messages": "dialogue", "system": None, "tools": None},
        "tags": OTHER,
    },
    "news_openai": {
        "file_name": "openai.jsonl", "formatting": "openai", "columns": {"messages": "messages"},
        "tags": OPENAI,
    },
    "news_parts": {"file_name": "parts", "formatting": "sharegpt"},
    "news_renamed": {
        "file_name": "renamed.json",
        "columns": {"prompt": "任务", "query": "标题", "response": "答案", "system": "规则", "history": None},
    },
    "news_table": {"file_name": "table.csv"},
    "news_sheet": {
        "file_name": "sheet.csv",
        "columns": {"prompt": "任务", "query": "题目", "response": "答案"},
    },
    "news_eval": {
        "file_name": "eval.json",
        "formatting": "sharegpt",
        "columns": {"messages": "conversations", "system": "system"},
    },
    "elsewhere": {"hf_hub_url": "somebody/news", "formatting": "sharegpt"},
}  # fmt: skip
LOCAL = [name for name in INFO if name != "elsewhere"]


def build_folder(folder: Path) -> Path:
    """Write the folder: eight entries with files, one of them a folder of two, and one on a hub."""
    (folder / "parts").mkdir(parents=True)
    _write(folder / "dataset_info.json", INFO)
    pairs = {
        name: [(title, f"<think>\n看题。\n</think>\n\n{label}") for title, label in titles.items()]
        for name, titles in TITLES.items()
    }
    earlier = [[f"{PROMPT}上一条新闻", "<think>\n看题。\n</think>\n\n社会"]]
    _write(
        folder / "alpaca.json",
        [
            {"instruction": PROMPT, "input": title, "output": answer, "system": SYSTEM, "history": history}
            for (title, answer), history in zip(pairs["news_alpaca"], (earlier, []), strict=True)
        ],
    )
    _write(
        folder / "messages.json",
        [
            {"dialogue": _turns(OTHER, PROMPT + title, answer, system), "system": "不是这一列"}
            for (title, answer), system in zip(pairs["news_messages"], (SYSTEM, None), strict=True)
        ],
    )
    lines = [
        json.dumps({"messages": _turns(OPENAI, PROMPT + title, answer, SYSTEM)})
        for title, answer in pairs["news_openai"]
    ]
    (folder / "openai.jsonl").write_text("\n".join(lines), encoding="utf-8")
    sharegpt = [
        {"conversations": _turns(SHAREGPT, PROMPT + title, answer)} for title, answer in pairs["news_parts"]
    ]
    _write(folder / "parts" / "part-1.json", sharegpt[:2])
    _write(folder / "parts" / "part-2.json", sharegpt[2:])
    _write(
        folder / "renamed.json",
        [
            {"任务": PROMPT, "标题": title, "答案": answer, "规则": SYSTEM, "history": "备注"}
            for title, answer in pairs["news_renamed"]
        ],
    )
    rows = [
        {"instruction": PROMPT, "input": title, "output": answer} for title, answer in pairs["news_table"]
    ]
    pandas.DataFrame(rows).to_csv(folder / "table.csv", index=False)
    rows = [{"任务": PROMPT, "题目": title, "答案": answer} for title, answer in pairs["news_sheet"]]
    pandas.DataFrame(rows).to_csv(folder / "sheet.csv", index=False)
    _write(
        folder / "eval.json",
        [
            {"conversations": _turns(SHAREGPT, PROMPT + title, answer), "system": SYSTEM}
            for title, answer in pairs["news_eval"]
        ],
    )
    return folder


def _turns(
    tags: dict[str, str], question: str, answer: str, system: str | None = None
) -> list[dict[str, str]]:
    turns = [("system_tag", system), ("user_tag", question), ("assistant_tag", answer)]
    return [
        {tags["role_tag"]: tags[tag], tags["content_tag"]: text} for tag, text in turns if text is not None
    ]


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
