"""Write a classified sheet in the format that it came in, columns added.

The sheet's own columns stay as they were. An OpenAI batch file is answered by one.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

from studio.classification import _sinks, openai_batch
from studio.classification._source import Source, open_source
from studio.classification.results import Classified, ClassifiedRow, load_classified
from studio.contract import ClassifySpec
from studio.errors import InputError, UnreadableFile
from studio.language import say
from studio.runs import Job, read_folder
from studio.samples.scheme import load_scheme
from studio.system.atomic import in_one_step
from studio.system.limited import call_within

WRITING_SECONDS = 600.0
"""Longest writing of a file: a workbook of a million rows takes four minutes."""

Format = Literal["csv", "tsv", "xlsx", "json", "jsonl", "parquet"]
FORMATS: Mapping[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "tsv",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".arrow": "parquet",
}
"""The format of a classified sheet by the suffix of the sheet, or of the file that is written."""

_NAMES = {
    "category": "类别",
    "confidence": "置信度",
    "top3": "前三类",
    "decision": "处理",
    "reason": "理由",
    "problem": "问题",
}
_FOR_PEOPLE = ("csv", "tsv", "xlsx")


def file_name(job: Job) -> str:
    """Name the file of a classification: after its sheet, with the suffix of the format."""
    name = Path(load_classified(job).sheet.name)
    return f"{name.stem}_classified{'.jsonl' if _is_batch(job) else f'.{_format_of(name)}'}"


def _is_batch(job: Job) -> bool:
    return load_classified(job).sheet.is_openai_batch


def _format_of(path: Path) -> Format:
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise InputError(
            say("不会写 {name} 这种文件。", "Cannot write {name} files.", name=path.suffix or path.name),
            remedy=say(
                f"可用：{'、'.join(dict.fromkeys(FORMATS.values()))}。",
                f"Known: {', '.join(dict.fromkeys(FORMATS.values()))}.",
            ),
        )
    return found


def require_writable_format(path: Path) -> None:
    """Require that a classified sheet can be written under that name.

    Raises:
        InputError: its suffix is of no format.
    """
    _format_of(path)


def write_classified(job: Job, out: Path) -> None:
    """Write what was answered so far, in a process of its own; its format is that of the suffix.

    Raises:
        InputError: the suffix is of no format.
        UnreadableFile: the files of the job were damaged.
    """
    _format_of(out)
    call_within(WRITING_SECONDS, write_folder, job.folder, out)


def write_folder(folder: Path, out: Path) -> None:
    """Write the classified sheet of a run folder; `write_classified` has the errors."""
    job = read_folder(folder)
    classified = load_classified(job)
    (path,) = folder.glob("source.*")
    with in_one_step(out) as draft:
        if classified.sheet.is_openai_batch:
            _sinks.write_jsonl(draft, _responses(job, path, classified))
            return
        form = _format_of(out)
        source = open_source(path, classified.sheet, load_scheme(folder / "categories.toml"))
        added = _added_names(source, classified, form)
        rows = _Joined(source, classified, added, for_people=form in _FOR_PEOPLE)
        names = list(added.values())
        if form == "xlsx":
            _sinks.write_xlsx(draft, source, names, rows)
        elif form == "parquet":
            _sinks.write_parquet(draft, path, source, names, rows)
        elif form in ("csv", "tsv"):
            _sinks.write_delimited(draft, source, names, rows, _separator(path, source, form))
        else:
            {"json": _sinks.write_json, "jsonl": _sinks.write_jsonl}[form](draft, rows)


def _separator(path: Path, source: Source, form: Format) -> str:
    """Return the sheet's own separator where the file is of its format, else that of the format."""
    if source.kind == "delimited" and FORMATS.get(path.suffix.lower()) == form:
        return source.separator
    return "," if form == "csv" else "\t"


def _added_names(source: Source, classified: Classified, form: Format) -> dict[str, str]:
    """Name the added columns, unlike those that are there; for people in their language."""
    wanted = ["category", "confidence", "top3"]
    wanted += ["decision"] if classified.threshold is not None else []
    wanted += ["reason"] if classified.has_chains else []
    taken = {name.casefold() for name in source.names}
    found = {}
    for key in [*wanted, "problem"]:
        name = say(_NAMES[key], key) if form in _FOR_PEOPLE else key
        while name.casefold() in taken:
            name = say(f"模型{name}", f"model_{name}") if form in _FOR_PEOPLE else f"model_{name}"
        found[key] = str(name)
        taken.add(name.casefold())
    return found


class _Joined:
    """The rows of a sheet with their answers, streamed anew by each iteration."""

    def __init__(
        self, source: Source, classified: Classified, names: Mapping[str, str], *, for_people: bool
    ) -> None:
        self._source = source
        self._classified = classified
        self._names = names
        self._for_people = for_people

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for own, row in zip_longest(self._source.objects(), self._classified.rows):
            if own is None or row is None:
                raise _changed()
            values = self._cells(row)
            yield {**own, **{name: values[key] for key, name in self._names.items()}}

    def _cells(self, row: ClassifiedRow) -> dict[str, Any]:
        confidence = None if row.confidence is None else round(row.confidence, 4)
        return {
            "category": row.category,
            "confidence": confidence,
            "top3": top_text(row) if self._for_people else _top(row),
            "decision": self._decision(row),
            "reason": row.answer.chain if row.answer else None,
            "problem": row.reason or None,
        }

    def _decision(self, row: ClassifiedRow) -> str | None:
        if row.outcome not in ("answer", "abstain", "unparsed"):
            return None
        is_sure = row.outcome == "answer"
        if self._for_people:
            return say("采用", "answer") if is_sure else say("请人工判断", "abstain")
        return "answer" if is_sure else "abstain"


def top_text(row: ClassifiedRow) -> str:
    """Format the likeliest categories with their probabilities."""
    return " · ".join(f"{name} {p:.0%}" for name, p in row.top)


def _top(row: ClassifiedRow) -> list[dict[str, Any]]:
    return [{"category": name, "probability": round(p, 4)} for name, p in row.top]


def _responses(job: Job, path: Path, classified: Classified) -> Iterator[dict[str, Any]]:
    spec = job.spec
    assert isinstance(spec, ClassifySpec), spec.kind
    model = spec.run or (spec.endpoint.model if spec.endpoint else _base_name(spec))
    created = int(job.created_at.timestamp())
    requests: Sequence[Mapping[str, Any]] = list(openai_batch.requests(path))
    if len(requests) != len(classified.rows):
        raise _changed()
    for number, (request, row) in enumerate(zip(requests, classified.rows, strict=True), start=1):
        if row.category is None:
            yield openai_batch.failure(
                request,
                number=number,
                code=row.problem or row.outcome,
                message=row.reason or say("没有得出类别。", "No category was answered."),
            )
            continue
        assert row.answer is not None
        added: dict[str, object] = {"confidence": row.confidence, "top3": _top(row)}
        if classified.threshold is not None:
            added["decision"] = row.outcome
        yield openai_batch.response(
            request,
            number=number,
            model=model,
            created=created,
            content=row.category,
            chain=row.answer.chain,
            tokens=row.answer.tokens,
            added=added,
        )


def _base_name(spec: ClassifySpec) -> str:
    return spec.model_name_or_path.name if spec.model_name_or_path else ""


def _changed() -> UnreadableFile:
    return UnreadableFile(
        say("任务里的表格和它的回答对不上。", "The sheet of the job does not fit its answers."),
        remedy=say("请重新给这张表分类。", "Classify the sheet again."),
    )
