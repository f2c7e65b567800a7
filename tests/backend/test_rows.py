"""A worker reads a folder with the reader of `check` and `import`: what is valid there, trains."""

import pytest

from backend.data.labelled_rows import labelled_rows
from backend.data.rows import read_conversations
from studio.errors import UnreadableFile
from studio.formats.layouts import OPENAI_TAGS
from studio.validation.check import check_path
from tests.support.samples import CHAIN, SCHEME, TITLE, write_json

QUESTION = f"新闻分类：{TITLE}"
ANSWER = f"<think>\n{CHAIN}\n</think>\n\n体育"
USER, ASSISTANT = {"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}
SYSTEM = {"role": "system", "content": "你是编辑。"}
PARTS = {"role": "user", "content": [{"type": "text", "text": QUESTION}]}
TURNS = [{"from": "human", "value": QUESTION}, {"from": "gpt", "value": ANSWER}]
PAIR = {"instruction": QUESTION, "input": "", "output": ANSWER}
SHAREGPT = {"formatting": "sharegpt"}


@pytest.mark.parametrize(
    ("entry", "row", "messages"),
    [
        ({}, PAIR, [USER, ASSISTANT]),
        ({"columns": {"prompt": "instruction", "response": "output", "system": "system"}}, {**PAIR, "system": "你是编辑。"}, [SYSTEM, USER, ASSISTANT]),
        ({"columns": {"prompt": "input", "response": "target"}}, {"input": QUESTION, "target": ANSWER}, [USER, ASSISTANT]),
        (SHAREGPT, {"conversations": TURNS}, [USER, ASSISTANT]),
        ({**SHAREGPT, "columns": {"messages": "conversations", "system": "system"}}, {"conversations": TURNS, "system": "你是编辑。"}, [SYSTEM, USER, ASSISTANT]),
        (SHAREGPT, {"conversations": [{"from": "system", "value": "你是编辑。"}, *TURNS]}, [SYSTEM, USER, ASSISTANT]),
        (SHAREGPT, {"conversations": TURNS * 2}, [USER, ASSISTANT] * 2),
        ({**SHAREGPT, "columns": {"messages": "messages"}, "tags": OPENAI_TAGS}, {"messages": [SYSTEM, PARTS, ASSISTANT]}, [SYSTEM, USER, ASSISTANT]),
        ({"formatting": "openai", "columns": {"messages": "messages"}}, {"messages": [USER, ASSISTANT]}, [USER, ASSISTANT]),
    ],
    ids=["alpaca", "alpaca with system", "firefly", "sharegpt", "system column", "system turn", "two turns", "content parts", "openai"],
)  # fmt: skip
def test_what_check_calls_valid_is_trained_whole(tmp_path, entry, row, messages):
    write_json(tmp_path / "train.json", [row])
    write_json(tmp_path / "dataset_info.json", {"train": {"file_name": "train.json", **entry}})
    assert check_path(tmp_path, SCHEME).valid == 1
    assert read_conversations(tmp_path, "train") == [messages]
    (found,), skipped = labelled_rows(tmp_path, "train", SCHEME)
    assert (found.title, found.category, found.chain, skipped) == (TITLE, "体育", CHAIN, 0)


@pytest.mark.parametrize(
    "row", [{"conversations": TURNS[:1]}, {"conversations": TURNS[::-1]}, {"a": 1}, "标题"]
)
def test_a_row_with_an_error_is_named_by_its_number(tmp_path, row):
    write_json(tmp_path / "train.json", [{"conversations": TURNS}, row])
    write_json(tmp_path / "dataset_info.json", {"train": {"file_name": "train.json", **SHAREGPT}})
    with pytest.raises(UnreadableFile, match="2"):
        read_conversations(tmp_path, "train")


def test_an_entry_that_is_not_there_lists_the_others(tmp_path):
    write_json(tmp_path / "a.json", [PAIR])
    write_json(tmp_path / "dataset_info.json", {"news": {"file_name": "a.json"}})
    with pytest.raises(UnreadableFile, match="news"):
        read_conversations(tmp_path, "train")
