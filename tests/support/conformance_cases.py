"""Rows and entries that go wrong, each beside good rows: what is done with them is measured, not written here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CHAIN = (
    "先看体育。“绝杀”和“主场”都是赛场上的词，讲的是一场比赛怎样分出胜负，主角是球队而不是俱乐部的买卖，"
    "读者想知道的是比分和最后一球，所以归体育。"
)
TITLE = "主队主场绝杀对手，终场前三秒投进三分"
QUESTION = f"新闻分类：{TITLE}"
ANSWER = f"<think>\n{CHAIN}\n</think>\n\n体育"

SHAREGPT: Mapping[str, Any] = {
    "formatting": "sharegpt",
    "columns": {"messages": "conversations"},
    "tags": {
        "role_tag": "from",
        "content_tag": "value",
        "user_tag": "human",
        "assistant_tag": "gpt",
        "observation_tag": "observation",
        "function_tag": "function_call",
        "system_tag": "system",
    },
}
ALPACA: Mapping[str, Any] = {
    "formatting": "alpaca",
    "columns": {"prompt": "instruction", "query": "input", "response": "output"},
}
NO_ROW = object()


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row between two good ones, or an entry over good rows only.

    `stricter` says why our check calls it an error although LLaMA-Factory trains on it;
    `looser` why not, although LLaMA-Factory drops it or dies.
    """

    name: str
    row: Any = NO_ROW
    entry: Mapping[str, Any] = field(default_factory=lambda: SHAREGPT)
    stricter: str = ""
    looser: str = ""
    lacks: tuple[str, ...] = ()


def turns(*pairs: tuple[str, Any]) -> dict[str, Any]:
    """A ShareGPT row of (role, text) turns."""
    return {"conversations": [{"from": role, "value": text} for role, text in pairs]}


def alpaca(**parts: Any) -> dict[str, Any]:
    """An Alpaca row; a part given as None stays out."""
    row = {"instruction": "新闻分类：", "input": TITLE, "output": ANSWER, **parts}
    return {key: value for key, value in row.items() if value is not None}


def without(entry: Mapping[str, Any], block: str, *keys: str) -> dict[str, Any]:
    """An entry whose block leaves keys out."""
    return {**entry, block: {key: value for key, value in entry[block].items() if key not in keys}}


HUMAN, GPT = ("human", QUESTION), ("gpt", ANSWER)

ROWS = (
    Case(name="question, answer", row=turns(HUMAN, GPT)),
    Case(name="system, question, answer", row=turns(("system", "你是编辑"), HUMAN, GPT)),
    Case(name="two questions and answers", row=turns(HUMAN, GPT, ("human", "再说一遍"), GPT)),
    Case(name="answer first", row=turns(GPT, HUMAN)),
    Case(name="two questions in a row", row=turns(HUMAN, HUMAN)),
    Case(name="question, question, answer", row=turns(HUMAN, HUMAN, GPT)),
    Case(name="no answer", row=turns(HUMAN)),
    Case(name="last turn is a question", row=turns(HUMAN, GPT, HUMAN)),
    Case(name="unknown role", row=turns(("user", QUESTION), ("assistant", ANSWER))),
    Case(name="unknown second role", row=turns(HUMAN, ("bot", ANSWER))),
    Case(name="system in the middle", row=turns(HUMAN, ("system", "你是编辑"), GPT)),
    Case(name="two system turns", row=turns(("system", "一"), ("system", "二"), HUMAN, GPT)),
    Case(name="only a system turn", row=turns(("system", "你是编辑"))),
    Case(name="no turn at all", row=turns()),
    Case(name="conversations is null", row={"conversations": None}),
    Case(name="conversations is missing", row={"id": 7}),
    Case(name="conversations is text", row={"conversations": QUESTION}),
    Case(
        name="a turn without value",
        row={"conversations": [{"from": "human"}, {"from": "gpt", "value": ANSWER}]},
    ),
    Case(
        name="a turn without from",
        row={"conversations": [{"value": QUESTION}, {"from": "gpt", "value": ANSWER}]},
    ),
    Case(name="a turn is text", row={"conversations": [QUESTION, ANSWER]}),
    Case(name="answer is null", row=turns(HUMAN, ("gpt", None))),
    Case(name="question is null", row=turns(("human", None), GPT)),
    Case(name="answer is a number", row=turns(HUMAN, ("gpt", 7))),
    Case(name="answer is an object", row=turns(HUMAN, ("gpt", {"label": "体育"}))),
    Case(name="row is text", row=QUESTION),
    Case(name="row is null", row=None),
    Case(
        name="answer is empty",
        row=turns(HUMAN, ("gpt", "")),
        stricter="It learns to say nothing: the end token alone.",
    ),
    Case(
        name="question is only the prompt",
        row=turns(("human", "新闻分类："), GPT),
        stricter="There is no title to classify.",
    ),
    Case(
        name="answer ends with its chain",
        row=turns(HUMAN, ("gpt", f"<think>\n{CHAIN}\n</think>\n\n")),
        stricter="There is no category to learn.",
    ),
    Case(
        name="think block is not closed",
        row=turns(HUMAN, ("gpt", f"<think>\n{CHAIN}\n\n体育")),
        stricter="Nothing tells the chain from the category; it learns never to stop thinking.",
    ),
    Case(
        name="two think blocks",
        row=turns(HUMAN, ("gpt", f"<think>\n想\n</think>\n\n{ANSWER}")),
        stricter="Which of the two is the chain only a person can say.",
    ),
    Case(
        name="answer is no category",
        row=turns(HUMAN, ("gpt", ANSWER.replace("\n体育", "\n军事"))),
        stricter="An eleventh category; LLaMA-Factory knows no categories.",
    ),
    Case(name="think block in one line", row=turns(HUMAN, ("gpt", f"<think>{CHAIN}</think>体育"))),
    Case(name="no think block", row=turns(HUMAN, ("gpt", "体育"))),
    Case(name="question without the prompt", row=turns(("human", TITLE), GPT)),
    Case(name="Alpaca: complete", row=alpaca(), entry=ALPACA),
    Case(name="Alpaca: input is empty", row=alpaca(instruction=QUESTION, input=""), entry=ALPACA),
    Case(name="Alpaca: no input in one row", row=alpaca(instruction=QUESTION, input=None), entry=ALPACA),
    Case(name="Alpaca: output is an object", row=alpaca(output={"label": "体育"}), entry=ALPACA),
    Case(name="Alpaca: no output", row=alpaca(output=None), entry=ALPACA),
    Case(
        name="Alpaca: output is empty",
        row=alpaca(output=""),
        entry=ALPACA,
        stricter="It learns to say nothing: the end token alone.",
    ),
    Case(
        name="Alpaca: instruction and input are empty",
        row=alpaca(instruction="", input=""),
        entry=ALPACA,
        stricter="There is no title to classify.",
    ),
    Case(
        name="Alpaca: no instruction in one row",
        row=alpaca(instruction=None, input=QUESTION),
        entry=ALPACA,
        stricter="One row of a file that is not built as the others.",
    ),
    Case(
        name="Alpaca: history",
        row=alpaca(history=[["新闻分类：女排夺冠", "体育"]]),
        entry={**ALPACA, "columns": {**ALPACA["columns"], "history": "history"}},
    ),
    Case(
        name="a tool's turns",
        row=turns(HUMAN, ("function_call", "{}"), ("observation", "体育"), GPT),
    ),
    Case(
        name="Alpaca: a history of three",
        row=alpaca(history=[["新闻分类：女排夺冠", "体育", "体育"]]),
        entry={**ALPACA, "columns": {**ALPACA["columns"], "history": "history"}},
    ),
)

OPENAI_ROW = {
    "conversations": [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]
}
SYSTEM_ROW = turns(("system", "你是编辑"), HUMAN, GPT)

ENTRIES = (
    Case(name="only file_name and formatting", entry={"formatting": "sharegpt"}),
    Case(name="`columns` without `messages`", entry=without(SHAREGPT, "columns", "messages") | {"columns": {"tools": None}}),
    Case(name="`columns` is {}", entry=SHAREGPT | {"columns": {}}),
    Case(name="`tags` without `role_tag`", entry=without(SHAREGPT, "tags", "role_tag")),
    Case(name="`tags` without `content_tag`", entry=without(SHAREGPT, "tags", "content_tag")),
    Case(name="`tags` without `user_tag`", entry=without(SHAREGPT, "tags", "user_tag")),
    Case(name="`tags` without `assistant_tag`", entry=without(SHAREGPT, "tags", "assistant_tag")),
    Case(name="`tags` without `system_tag`, no system turn", entry=without(SHAREGPT, "tags", "system_tag")),
    Case(name="`tags` without `system_tag`, a system turn", row=SYSTEM_ROW, entry=without(SHAREGPT, "tags", "system_tag"), looser="The rows are good; the warning says that the entry is not."),
    Case(name="`system` names a column that no row has", entry=SHAREGPT | {"columns": {"messages": "conversations", "system": "system"}}),
    Case(name="a system turn and a `system` column", row=SYSTEM_ROW | {"system": "另一个"}, entry=SHAREGPT | {"columns": {"messages": "conversations", "system": "system"}}),
    Case(name="a `system` column in some rows", row=turns(HUMAN, GPT) | {"system": "你是编辑"}, entry=SHAREGPT | {"columns": {"messages": "conversations", "system": "system"}}),
    Case(name="a `system` column that is not named", row=turns(HUMAN, GPT) | {"system": "你是编辑"}, entry={"formatting": "sharegpt"}),
    Case(name="`system` is null, a `system` column", row=turns(HUMAN, GPT) | {"system": "你是编辑"}, entry=SHAREGPT | {"columns": {"messages": "conversations", "system": None}}),
    Case(name="`messages` names a column that no row has", entry=SHAREGPT | {"columns": {"messages": "messages"}}),
    Case(name="`formatting` left out over ShareGPT rows", entry={}),
    Case(name="`formatting` is unknown", entry={"formatting": "chatml"}),
    Case(name="`colums` for `columns`", entry={"formatting": "sharegpt", "colums": {"messages": "conversations"}}),
    Case(name="tags of another file", entry=SHAREGPT | {"tags": {**SHAREGPT["tags"], "user_tag": "user", "assistant_tag": "assistant"}}),
    Case(name="no such file", entry=SHAREGPT | {"file_name": "other.json"}),
    Case(name="Alpaca: `columns` without `query`", row=alpaca(), entry=without(ALPACA, "columns", "query")),
    Case(name="Alpaca: `columns` without `response`", row=alpaca(), entry=without(ALPACA, "columns", "response")),
    Case(name="Alpaca: no row has `input`", row=alpaca(instruction=QUESTION, input=None), entry={}, lacks=("input",)),
    Case(name="OpenAI formatting without tags, turns have `from`", entry={"formatting": "openai"}, stricter="Whoever writes openai means role and content."),
    Case(name="OpenAI formatting without tags, turns have `role`", row=OPENAI_ROW, entry={"formatting": "openai"}, lacks=("from",)),
)  # fmt: skip
