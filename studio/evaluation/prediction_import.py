"""Import predictions of other programs as an evaluation, and export predictions of any run.

What is imported becomes a finished evaluation whose `imported` names the file: it is scored and compared
like one of ours, and cannot be run again.
"""

import io
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from studio import runs
from studio.contract import AnswerMode, EvaluateSpec, Prediction, Result, ScoreFile
from studio.datasets.lookup import Dataset
from studio.errors import InputError
from studio.evaluation.foreign_answers import ForeignAnswer, ForeignFile, Origin, read_foreign
from studio.evaluation.scores import score
from studio.formats.reader import read_entry
from studio.language import say
from studio.runs import Run
from studio.samples.canonical import Answer, exact_category, read_answer
from studio.samples.label_matching import proposal
from studio.samples.scheme import Scheme, load_scheme
from studio.samples.title_text import title_key
from studio.store import Store
from studio.system.csv_export import csv_bytes
from studio.team.rights import require_right
from studio.validation.rows import judge_rows
from studio.workspace import Workspace

ExportForm = Literal["csv", "json", "parquet"]
SHOWN = 5
COLUMNS = (
    "row", "title", "label", "predicted", "correct", "answer", "chain", "label_chain", "text", "tokens",
    "forced",
)  # fmt: skip
"""What an export has of each prediction, beside the probabilities."""


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What was imported: the run, who wrote the file, and what is not in it or was not understood."""

    run: Run
    origin: Origin
    imported: int
    missing: int
    """Rows of the dataset without an answer."""
    unmatched: tuple[str, ...]
    """The first answers that belong to no row of the dataset, and the number of all in `unmatched_count`."""
    unmatched_count: int
    unparsed: int
    failed: int
    accuracy: float
    answer: AnswerMode

    @property
    def sentence(self) -> str:
        """Say what was imported, and what was not."""
        examples = {"zh": "；".join(self.unmatched[:2]), "en": "; ".join(self.unmatched[:2])}
        parts = [
            (
                f"已导入 {self.imported} 个回答（{self.run.id}），准确率 {self.accuracy:.1%}。",
                f"Imported {self.imported} answers ({self.run.id}), accuracy {self.accuracy:.1%}.",
                True,
            ),
            (
                f"数据集里有 {self.missing} 条没有回答。",
                f"{self.missing} rows of the dataset have no answer.",
                self.missing,
            ),
            (
                f"{self.unmatched_count} 个回答对不上标题，例如 {examples['zh']}。",
                f"{self.unmatched_count} answers belong to no row, such as {examples['en']}.",
                self.unmatched_count,
            ),
            (f"{self.unparsed} 个读不出类别。", f"{self.unparsed} name no category.", self.unparsed),
            (f"{self.failed} 行不是回答。", f"{self.failed} lines are no answers.", self.failed),
        ]
        said = [(zh, en) for zh, en, is_so in parts if is_so]
        return say("".join(zh for zh, _ in said), " ".join(en for _, en in said))

    def to_json(self) -> dict[str, Any]:
        """Build the document of `predictions import --json`."""
        return {
            "run": self.run.id,
            "origin": self.origin,
            "imported": self.imported,
            "missing": self.missing,
            "unmatched": self.unmatched_count,
            "unmatched_examples": list(self.unmatched),
            "unparsed": self.unparsed,
            "failed": self.failed,
            "accuracy": self.accuracy,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    row: int
    title: str
    category: str
    chain: str


def import_predictions(
    db: Store,
    workspace: Workspace,
    path: Path,
    dataset: Dataset | None,
    *,
    author: str,
    entry: str = "eval",
    label: str = "",
) -> ImportReport:
    """Import a file of answers as a finished evaluation.

    Args:
        db: asked whether the author may.
        workspace: where the evaluation is made.
        path: file of answers.
        dataset: what was answered; None where the file itself has titles and true categories.
        author: who imports.
        entry: of the dataset's dataset_info.json.
        label: name of the evaluation; without it the name of the file.

    Raises:
        UnreadableFile: the file has no answers of a known form.
        InputError: none of them answers a row of the dataset.
    """
    require_right("run_jobs", db, author)
    own = dataset.folder / "categories.toml" if dataset else None
    scheme = load_scheme(own if own is not None and own.is_file() else None)
    file = read_foreign(path, scheme.prompt, scheme.names)
    rows = _dataset_rows(dataset.folder, entry, scheme) if dataset else _rows_of_file(file, path, scheme)
    matched, unmatched = _matched(file, rows)
    if not matched:
        raise InputError(
            say(
                f"{path.name} 里的 {len(file.answers)} 个回答都不属于这个数据集的标题。",
                f"None of the {len(file.answers)} answers in {path.name} is to a title of this dataset.",
            ),
            remedy=say(
                "请用 --dataset 指定当时评估的数据集（必要时加 --entry）。",
                "Name the dataset that was answered with --dataset, and its entry with --entry.",
            ),
        )
    answered = [(row, answer, read_answer(answer.text)) for row, answer in matched]
    mode: AnswerMode = "chain" if any(read.chain for _, _, read in answered) else "direct"
    predictions = [_prediction(row, answer, read, mode, scheme) for row, answer, read in answered]
    run = _write_run(workspace, path, dataset, entry, predictions, label, mode, scheme)
    return ImportReport(
        run=run,
        origin=file.origin,
        imported=len(predictions),
        missing=len(rows) - len(predictions),
        unmatched=tuple(_name(answer) for answer in unmatched[:SHOWN]),
        unmatched_count=len(unmatched),
        unparsed=sum(each.predicted is None for each in predictions),
        failed=file.failed,
        accuracy=sum(each.predicted == each.label for each in predictions) / len(predictions),
        answer=mode,
    )


def _dataset_rows(folder: Path, entry: str, scheme: Scheme) -> list[_Row]:
    judged = judge_rows(read_entry(folder, entry, scheme).rows, scheme)
    return [
        _Row(
            row=number,
            title=each.title,
            category=each.category,
            chain=(each.answer.chain if each.answer else None) or "",
        )
        for number, each in enumerate(judged)
        if each.category
    ]


def _rows_of_file(file: ForeignFile, path: Path, scheme: Scheme) -> list[_Row]:
    """Take the file's own titles and true categories as the dataset.

    Raises:
        InputError: it lacks one of them.
    """
    rows = []
    for number, answer in enumerate(file.answers):
        truth = read_answer(answer.truth or "")
        category = _category(truth.label, scheme)
        if answer.title and category:
            rows.append(_Row(row=number, title=answer.title, category=category, chain=truth.chain or ""))
    if not rows:
        raise InputError(
            say(
                f"{path.name} 里没有标题和正确类别。",
                f"{path.name} does not say both titles and true categories.",
            ),
            remedy=say(
                "请用 --dataset 指定它回答的数据集。", "Name the dataset that it answers with --dataset."
            ),
        )
    return rows


def _matched(
    file: ForeignFile, rows: Sequence[_Row]
) -> tuple[list[tuple[_Row, ForeignAnswer]], list[ForeignAnswer]]:
    """Find the row of every answer: by its title, else by its number where nothing speaks against that.

    Of a row that was answered twice the last answer counts; equal titles are answered in their order.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        places[title_key(row.title)].append(place)
    by_number = {row.row: place for place, row in enumerate(rows)}
    numbers = [answer.number for answer in file.answers if answer.number is not None]
    first = 1 if numbers and min(numbers) == 1 and max(numbers) == len(rows) else 0
    found: dict[int, ForeignAnswer] = {}
    unmatched: list[ForeignAnswer] = []
    taken = defaultdict[str, int](int)
    for answer in file.answers:
        key = title_key(answer.title or "")
        if key in places:
            found[places[key][taken[key] % len(places[key])]] = answer
            taken[key] += 1
            continue
        numbered = None if answer.number is None else by_number.get(answer.number - first)
        if numbered is None or not _fits(answer, rows[numbered]):
            unmatched.append(answer)
        else:
            found[numbered] = answer
    return [(rows[each], found[each]) for each in sorted(found)], unmatched


def _fits(answer: ForeignAnswer, row: _Row) -> bool:
    """Tell whether a prompt, where there is one, has the title in it."""
    return answer.prompt is None or title_key(row.title) in title_key(answer.prompt)


def _prediction(
    row: _Row, answer: ForeignAnswer, read: Answer, mode: AnswerMode, scheme: Scheme
) -> Prediction:
    return Prediction(
        row=row.row,
        title=row.title,
        label=row.category,
        label_chain=row.chain,
        answer=mode,
        predicted=_category(read.label, scheme),
        chain=read.chain,
        text=answer.text if mode == "chain" else "",
        probabilities=dict(answer.probabilities) or None,
        tokens=answer.tokens,
    )


def _category(label: str, scheme: Scheme) -> str | None:
    """Read a category: exactly, by its English name, or with a fault that is safe to repair."""
    exact = exact_category(label, scheme.names)
    if exact:
        return exact
    wanted = label.strip().casefold()
    for category in scheme.categories:
        if wanted == category.english.casefold():
            return category.name
    found = proposal(label, scheme) if label.strip() else None
    return found if found in scheme.names else None


def _name(answer: ForeignAnswer) -> str:
    return f"{answer.line}: {(answer.title or answer.prompt or '')[:60]}"


def _write_run(
    workspace: Workspace,
    path: Path,
    dataset: Dataset | None,
    entry: str,
    predictions: Sequence[Prediction],
    label: str,
    mode: AnswerMode,
    scheme: Scheme,
) -> Run:
    spec = EvaluateSpec(
        model_name_or_path=path,
        dataset_dir=dataset.folder if dataset else path.absolute().parent,
        dataset=entry,
        train_dataset=None,
        answer=mode,
        imported=path.name,
    )
    scores = score(predictions, scheme.names, answer=mode, seconds=1).model_copy(
        update={"samples_per_second": 0.0}
    )
    result = Result(status="done", seconds=0, peak_memory_gib=0)
    lines = "".join(f"{each.model_dump_json()}\n" for each in predictions)
    job = runs.prepare_job(
        workspace,
        spec,
        label=label or path.stem,
        version=dataset.version if dataset else None,
        files={
            "predictions.jsonl": lines.encode(),
            "scores.json": ScoreFile(evaluations={mode: scores}).model_dump_json(by_alias=True).encode(),
            "result.json": result.model_dump_json().encode(),
        },
    )
    assert isinstance(job, Run), job
    return job


def export_predictions(run: Run, answer: AnswerMode, form: ExportForm) -> bytes:
    """Serialize the predictions of a run: CSV for spreadsheets, JSON with the scores, parquet for programs.

    Raises:
        InputError: it was not scored so.
    """
    predictions = runs.load_predictions(run, answer)
    if not predictions:
        raise InputError(
            say(f"运行 {run.id} 没有这样的回答。", f"Run {run.id} has no such answers."),
            remedy=say("请先评估它。", "Evaluate it first."),
        )
    rows = [each.model_dump() | {"correct": each.predicted == each.label} for each in predictions]
    if form == "json":
        file = runs.load_scores(run)
        scores = file.evaluations.get(answer) if file else None
        document = {
            "run": run.id,
            "label": run.label,
            "version": run.version,
            "scores": scores.model_dump(mode="json", by_alias=True) if scores else None,
            "predictions": rows,
        }
        return json.dumps(document, ensure_ascii=False, indent=1).encode()
    names = _with_chances(predictions)
    flat = [
        {
            **{name: row[name] for name in COLUMNS},
            **{f"p_{n}": (row["probabilities"] or {}).get(n) for n in names},
        }
        for row in rows
    ]
    if form == "csv":
        header = [*COLUMNS, *(f"p_{name}" for name in names)]
        return csv_bytes(header, [[row[name] for name in header] for row in flat])
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(flat), target)
    return target.getvalue()


def _with_chances(predictions: Sequence[Prediction]) -> list[str]:
    """List the categories that have probabilities."""
    return list(dict.fromkeys(name for each in predictions for name in each.probabilities or {}))
