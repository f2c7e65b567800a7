"""Serialize answers as a file: for spreadsheets, or a JSON line for each title."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from studio.language import say
from studio.serving.client import Classification
from studio.system.csv_export import Cell, csv_bytes
from studio.system.xlsx_export import xlsx_bytes

AnswerFormat = Literal["csv", "xlsx", "jsonl"]


def as_csv(answers: Sequence[Classification]) -> bytes:
    """Serialize as CSV, which Excel opens."""
    return csv_bytes(_header(), map(_cells, answers))


def as_xlsx(answers: Sequence[Classification]) -> bytes:
    """Serialize as a workbook of one sheet."""
    return xlsx_bytes(_header(), map(_cells, answers))


def as_jsonl(answers: Sequence[Classification]) -> bytes:
    """Serialize as JSON Lines: keys in English, all probabilities."""
    documents = (
        {
            "title": answer.title,
            "category": answer.category,
            "confidence": answer.confidence,
            "decision": answer.decision,
            "top3": [each.model_dump() for each in answer.top3],
            "direct_category": answer.direct_category,
            "ways_agree": not answer.ways_disagree,
            "probabilities": answer.probabilities,
            "chain": answer.chain,
            "evidence": None if answer.evidence is None else [each.model_dump() for each in answer.evidence],
        }
        for answer in answers
    )
    lines = (json.dumps(document, ensure_ascii=False) for document in documents)
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


FORMATS: Mapping[AnswerFormat, tuple[Callable[[Sequence[Classification]], bytes], str]] = {
    "csv": (as_csv, "text/csv"),
    "xlsx": (as_xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "jsonl": (as_jsonl, "application/jsonl"),
}
"""How each is written, and its media type."""


def _header() -> tuple[str, ...]:
    return (
        say("标题", "title"),
        say("类别", "category"),
        say("置信度", "confidence"),
        say("直接打分的类别", "category of direct scoring"),
        say("理由", "reason"),
        say("决定", "decision"),
    )


def _cells(answer: Classification) -> tuple[Cell, ...]:
    decision = say("请人工判断", "abstain") if answer.abstains else None
    return (
        answer.title,
        answer.category,
        answer.confidence,
        answer.direct_category,
        answer.chain,
        decision,
    )
