"""Write and read annotation files: who answered what, when, from which suggestion, in how many seconds.

CSV, JSONL or parquet, one answer a line, in one stream: no file is held in memory. A title stands there
with its text, so that the file can be read without the workspace and imported into another one
(`studio.annotation.annotation_import`).
"""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, get_args

from studio.errors import InputError, UnreadableFile
from studio.language import say
from studio.messages import parsed, shown
from studio.store import Store
from studio.system.atomic import in_one_step
from studio.system.csv_export import safe_cell, write_csv
from studio.team import people

AnnotationForm = Literal["csv", "jsonl", "parquet"]
FORMS: tuple[AnnotationForm, ...] = get_args(AnnotationForm)
UNREADABLE = "\0unreadable"
"""Key of a line of JSONL that is no object."""
PORTION = 10_000
"""Rows of a parquet row group."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AnnotationRow:
    """One answer of one person, as it stands in a file.

    `at` and `retracted_at` are UTC. `kind` is the act: `category`, `skip` or `flag`. `reason` is the sentence
    for a reader, `reason_code` its code where the page offered it. `suggestion` was on screen, made by
    `suggestion_source`. `round` counts the decisions of the title that answers are about: answers of one
    round were given to the same question. `title_status` and `title_category` are where the title stands
    now; an import ignores them.
    """

    title: str
    annotator: str
    at: str
    kind: str
    category: str | None = None
    reason: str | None = None
    reason_code: str | None = None
    chain: str | None = None
    seconds: float | None = None
    suggestion: str | None = None
    suggestion_source: str | None = None
    gold: bool = False
    retracted_at: str | None = None
    round: int = 1
    title_status: str | None = None
    title_category: str | None = None


COLUMNS = tuple(field.name for field in fields(AnnotationRow))


def form_of(path: Path) -> AnnotationForm:
    """Return the form that the suffix of a file names.

    Raises:
        InputError: it names none.
    """
    for form in FORMS:
        if path.suffix.lower() == f".{form}":
            return form
    raise InputError(
        say(
            f"从文件名“{path.name}”看不出格式。",
            f"The name “{path.name}” does not say which format the file has.",
        ),
        remedy=say("请以 .csv、.jsonl 或 .parquet 结尾。", "Let it end in .csv, .jsonl or .parquet."),
    )


def annotation_rows(db: Store, *, author: str | None = None) -> Iterator[AnnotationRow]:
    """Read all answers, title by title; of one author only what is theirs, without telling gold titles."""
    found = db.query(
        "select answer.title_id, answer.decision_id, titles.text as title, answer.author as annotator,"
        " answer.at, answer.kind, answer.category, answer.reason, answer.chain,"
        " answer.active_seconds as seconds, answer.suggestion, answer.suggestion_source,"
        " answer.is_gold as gold, retractions.at as retracted_at, states.status as title_status,"
        " states.category as title_category"
        " from annotations as answer join titles on titles.id = answer.title_id"
        " left join states on states.title_id = answer.title_id"
        " left join retractions on retractions.annotation_id = answer.id"
        " where (:author is null or answer.author = :author) order by answer.title_id, answer.id",
        {"author": author},
    )
    for _, answers in groupby(found, key=itemgetter("title_id")):
        group = list(answers)
        rounds = {each: n for n, each in enumerate(sorted({row["decision_id"] for row in group}), start=1)}
        for row in group:
            row["round"] = rounds[row.pop("decision_id")]
            del row["title_id"]
            row["gold"] = bool(row["gold"]) and author is None
            if author is not None:
                row["title_status"] = row["title_category"] = None
            yield AnnotationRow(**row | _reason(row["reason"]))


def rows_for(db: Store, name: str) -> Iterator[AnnotationRow]:
    """Read the answers that a person may see: an annotator their own, whoever has another role all of them.

    What others answered would lead an annotator who is still to be asked.
    """
    person = people.known_or_new(db, name)
    return annotation_rows(db, author=person.name if person.role == "annotator" else None)


def _reason(stored: str | None) -> dict[str, str | None]:
    """Split a stored reason into the sentence and, where it is one of those offered, its code."""
    messages = None if stored is None else parsed(stored)
    code = messages[0].code if messages and len(messages) == 1 and not messages[0].arguments else None
    return {"reason": shown(stored), "reason_code": code}


def write_annotations(path: Path, rows: Iterable[AnnotationRow]) -> int:
    """Write answers to a new file, in the form that its suffix names; return how many.

    Raises:
        InputError: the suffix names no form, or the file is there already.
    """
    form = form_of(path)
    if path.exists():
        raise InputError(
            say(f"{path} 已经存在。", f"{path} is there already."),
            remedy=say("请给一个新的文件名。", "Name a new file."),
        )
    with in_one_step(path) as draft:
        return {"csv": _write_csv, "jsonl": _write_jsonl, "parquet": _write_parquet}[form](draft, rows)


def _write_csv(path: Path, rows: Iterable[AnnotationRow]) -> int:
    count = 0

    def cells() -> Iterator[list[Any]]:
        nonlocal count
        for row in rows:
            count += 1
            yield list(asdict(row).values())

    with path.open("w", encoding="utf-8-sig", newline="") as file:
        write_csv(file, COLUMNS, cells())
    return count


def _write_jsonl(path: Path, rows: Iterable[AnnotationRow]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")
            count += 1
    return count


def _write_parquet(path: Path, rows: Iterable[AnnotationRow]) -> int:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    kinds = {"seconds": arrow.float64(), "gold": arrow.bool_(), "round": arrow.int32()}
    schema = arrow.schema([(name, kinds.get(name, arrow.string())) for name in COLUMNS])
    count, waiting = 0, iter(rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while portion := [asdict(row) for row in islice(waiting, PORTION)]:
            writer.write_table(arrow.Table.from_pylist(portion, schema=schema))
            count += len(portion)
    return count


def read_annotations(path: Path) -> Iterator[dict[str, Any]]:
    """Read the lines of an annotation file as they stand there, in the form that its suffix names.

    Raises:
        InputError: the suffix names no form.
        UnreadableFile: there is no such file, or it is not of that form.
    """
    form = form_of(path)
    try:
        yield from {"csv": _read_csv, "jsonl": _read_jsonl, "parquet": _read_parquet}[form](path)
    except OSError as error:
        raise UnreadableFile(
            say(f"无法读取 {path}。", f"{path} cannot be read."),
            remedy=say("请检查路径和权限。", "Check the path and its permissions."),
        ) from error
    except (ValueError, csv.Error, RecursionError) as error:  # pyarrow's errors are ValueErrors
        raise UnreadableFile(
            say(f"{path.name} 不是可读的 {form} 文件。", f"{path.name} is no readable {form} file."),
            remedy=say(
                "请用“导出标注记录”得到的文件（UTF-8）。", "Use a file as the export writes it, in UTF-8."
            ),
        ) from error


def _read_csv(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            yield {name: _cell(value) for name, value in row.items() if name}


def _cell(value: Any) -> str | None:
    """Read a cell: empty is nothing; the apostrophe that keeps a text from being a formula is no text."""
    text = value if isinstance(value, str) and value else None
    return text[1:] if text and text[0] == "'" and safe_cell(text[1:]) == text else text


def _read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig") as file:
        for line in file:
            if line.strip():
                yield _object(line)


def _object(line: str) -> dict[str, Any]:
    """Read a line; one that is no JSON object is refused alone, not with the file."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {UNREADABLE: True}


def _read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as parquet

    with closing(parquet.ParquetFile(path)) as file:
        for batch in file.iter_batches(batch_size=PORTION):
            yield from batch.to_pylist()


def number(value: Any) -> float | None:
    """Read a number from a file; None for nothing, and for what is no finite number of zero or more."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) and found >= 0 else None


def is_true(row: Mapping[str, Any], name: str) -> bool:
    """Read a yes or no from a file."""
    return str(row.get(name) or "").strip().lower() in ("true", "1", "yes")
