"""Answers come out as a file: texts as they are, no formula in it, every title once."""

import csv
import io
import json

import openpyxl
import pytest

from studio.language import current_language
from studio.serving.answer_files import FORMATS, as_csv, as_jsonl, as_xlsx
from studio.serving.client import Classification

ANSWERS = [
    Classification(
        title="女排夺冠", category="体育", probabilities={"体育": 0.75, "经济": 0.25}, chain="写“夺冠”。"
    ),
    Classification(title="=HYPERLINK(1)\x07", category=None),
    Classification(title="央行降准", category="经济", probabilities={"体育": 0.75, "经济": 0.25}),
]


def test_a_workbook_has_texts_and_numbers():
    sheet = openpyxl.load_workbook(io.BytesIO(as_xlsx(ANSWERS))).active
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0] == ("标题", "类别", "置信度", "直接打分的类别", "理由", "决定")
    assert rows[1] == ("女排夺冠", "体育", 0.75, "体育", "写“夺冠”。", None)
    assert rows[2][:2] == ("=HYPERLINK(1)", None)
    assert sheet["A3"].data_type == "s"  # a formula would be "f"
    assert rows[3][1:4] == ("经济", None, "体育")


def test_json_lines_have_all_that_was_answered():
    lines = [json.loads(line) for line in as_jsonl(ANSWERS).decode().splitlines()]
    assert [line["title"] for line in lines] == [answer.title for answer in ANSWERS]
    assert [line["ways_agree"] for line in lines] == [True, True, False]
    assert lines[0]["probabilities"] == {"体育": 0.75, "经济": 0.25}


def test_what_the_model_left_to_a_person_says_so_in_every_form():
    unsure = Classification(
        title="拿不准",
        category="体育",
        confidence=0.4,
        decision="abstain",
        top3=[{"category": "体育", "probability": 0.4}],
        evidence=[{"text": "拿", "start": 0, "end": 1, "effect": 0.2}],
    )
    assert "请人工判断" in as_csv([unsure]).decode("utf-8-sig")
    line = json.loads(as_jsonl([unsure]))
    assert (line["decision"], line["top3"][0]["category"], line["evidence"][0]["text"]) == (
        "abstain",
        "体育",
        "拿",
    )


def test_csv_is_in_the_language_of_whoever_takes_it():
    current_language.set("en")
    rows = list(csv.reader(io.StringIO(as_csv(ANSWERS).decode("utf-8-sig"))))
    assert rows[0][0] == "title"
    assert rows[2][0].startswith("'=")


@pytest.mark.parametrize("name", FORMATS)
def test_no_answers_are_a_file_without_rows(name):
    assert isinstance(FORMATS[name][0]([]), bytes)
