"""Read the answers of other programs: LLaMA-Factory, OpenAI batch output, tables, and our own files.

    generated_predictions.jsonl   {"prompt", "predict", "label"}: LLaMA-Factory, do_predict
    OpenAI batch output           {"custom_id", "response": {"body": {"choices": [...]}}}
    CSV, TSV, xlsx, jsonl ...     a title, a predicted category, perhaps a probability and the true category
    predictions.jsonl             ours, of another workspace

Pure but for the file: which rows of a dataset they answer is `prediction_import`'s.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from studio.errors import UnreadableFile
from studio.formats.records import read_records
from studio.language import say

Origin = Literal["llamafactory", "openai_batch", "table"]

TITLES = ("title", "标题", "text", "sentence", "input", "headline", "新闻标题", "question")
ANSWERS = (
    "predicted", "prediction", "predict", "pred", "predicted_category", "predicted_label", "answer", "output",
    "response", "预测", "预测类别", "模型答案", "模型回答", "category", "类别", "label", "标签",
)  # fmt: skip
TRUTHS = (
    "label",
    "true",
    "truth",
    "gold",
    "true_label",
    "真实类别",
    "真实",
    "标签",
    "人工类别",
    "category",
    "类别",
)
CHANCES = ("probability", "confidence", "score", "prob", "概率", "置信度")
CHAINS = ("chain", "reason", "reasoning", "think", "思维链", "理由", "label_chain")
_NUMBER = re.compile(r"(\d+)\D*$")
_MARK = re.compile(r"<[|｜/]?\w|<\||\n|\[/?INST\]")
"""Where a title ends in a rendered prompt: at the next mark of the template, or the end of its line."""


@dataclass(frozen=True, kw_only=True)
class ForeignAnswer:
    """One answer: what it answers, as far as the file says it, and its whole text.

    `number` is the position of its row: the line, or the number in a custom_id. `truth` is the whole
    reference answer. `probabilities` are over the categories that the file names.
    """

    line: int
    number: int | None = None
    title: str | None = None
    prompt: str | None = None
    text: str = ""
    truth: str | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class ForeignFile:
    """The answers of a file, which program wrote it, and the lines that are no answer."""

    origin: Origin
    answers: list[ForeignAnswer]
    failed: int


def read_foreign(path: Path, prompt: str, categories: Sequence[str]) -> ForeignFile:
    """Read a file of answers; `prompt` is the question before each title.

    Raises:
        UnreadableFile: missing, empty, or it holds no answers that are known.
    """
    found = [
        _answer(record.row, record.value, prompt, categories)
        for record in read_records(path, path.name)
        if isinstance(record.value, Mapping)
    ]
    answers = [answer for _, answer in found if answer is not None]
    if not answers:
        raise UnreadableFile(
            say(f"{path.name} 里没有可识别的模型回答。", f"{path.name} holds no answers of a known form."),
            remedy=say(
                "可用：LLaMA-Factory 的 generated_predictions.jsonl、OpenAI 批处理输出，"
                "或有“title”和“predicted”两列的表格。",
                "Known are LLaMA-Factory's generated_predictions.jsonl, OpenAI batch output, and tables with "
                "a title and a predicted column.",
            ),
        )
    return ForeignFile(origin=found[0][0], answers=answers, failed=len(found) - len(answers))


def _answer(
    line: int, record: Mapping[str, Any], prompt: str, categories: Sequence[str]
) -> tuple[Origin, ForeignAnswer | None]:
    if "predict" in record and "prompt" in record:
        return "llamafactory", _of_llamafactory(line, record, prompt)
    if "custom_id" in record and ("response" in record or "error" in record):
        return "openai_batch", _of_batch(line, record)
    return "table", _of_table(line, record, categories)


def _of_llamafactory(line: int, record: Mapping[str, Any], prompt: str) -> ForeignAnswer:
    rendered = str(record["prompt"])
    return ForeignAnswer(
        line=line,
        number=line - 1,
        title=title_in_prompt(rendered, prompt),
        prompt=rendered,
        text=str(record["predict"] or ""),
        truth=None if record.get("label") is None else str(record["label"]),
    )


def title_in_prompt(rendered: str, prompt: str) -> str | None:
    """Find the title behind the last question in a rendered prompt; None without such a question."""
    _, found, rest = rendered.rpartition(prompt.strip())
    if not found:
        return None
    end = _MARK.search(rest.lstrip("\n"))
    title = rest.lstrip("\n")[: end.start()] if end else rest
    # vLLM's script writes skip_special_tokens prompts: the role of the next turn stands behind the title.
    return re.sub(r"\s*(?:assistant|Assistant:?)\s*$", "", title).strip() or None


def _of_batch(line: int, record: Mapping[str, Any]) -> ForeignAnswer | None:
    """Read one line of a batch output; None where the request failed."""
    response = record.get("response")
    body = response.get("body") if isinstance(response, Mapping) else None
    choices = body.get("choices") if isinstance(body, Mapping) else None
    message = choices[0].get("message") if isinstance(choices, list) and choices else None
    if not isinstance(message, Mapping):
        return None
    content, thought = str(message.get("content") or ""), str(message.get("reasoning_content") or "")
    name = str(record["custom_id"])
    number = _NUMBER.search(name)
    usage = body.get("usage") if isinstance(body, Mapping) else None
    return ForeignAnswer(
        line=line,
        number=int(number[1]) if number else None,
        title=name,
        text=f"<think>\n{thought}\n</think>\n\n{content}" if thought else content,
        tokens=int(usage.get("completion_tokens") or 0) if isinstance(usage, Mapping) else 0,
    )


def _of_table(line: int, record: Mapping[str, Any], categories: Sequence[str]) -> ForeignAnswer | None:
    """Read a row of a table by the names of its columns; None where it has no title or no answer."""
    columns = {str(name).strip().casefold(): name for name in record}
    title = _named(columns, TITLES, ())
    answer = _named(columns, ANSWERS, (title,))
    truth = _named(columns, TRUTHS, (title, answer))
    chance, chain = _named(columns, CHANCES, (title, answer, truth)), _named(columns, CHAINS, (answer,))
    if title is None or answer is None or record[title] in (None, ""):
        return None
    text, thought = _text(record[answer]), _text(record[chain]) if chain else ""
    if thought and "</think>" not in text:
        text = f"<think>\n{thought}\n</think>\n\n{text}"
    probabilities = {name: share for name in categories if (share := _share(record.get(name))) is not None}
    if not probabilities and chance and (share := _share(record[chance])) is not None and text in categories:
        probabilities = {text: share}
    return ForeignAnswer(
        line=line,
        title=_text(record[title]),
        text=text,
        truth=_text(record[truth]) or None if truth else None,
        probabilities=probabilities,
    )


def _named(columns: Mapping[str, Any], names: Iterable[str], taken: Sequence[Any]) -> Any | None:
    return next((columns[name] for name in names if name in columns and columns[name] not in taken), None)


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _share(value: object) -> float | None:
    """Read a probability, 0 to 1, also as 87 % or 87."""
    try:
        number = float(str(value).strip().rstrip("%"))
    except ValueError:
        return None
    number = number / 100 if str(value).strip().endswith("%") or number > 1 else number
    return number if 0 <= number <= 1 else None
