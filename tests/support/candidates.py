"""Trainings on a frozen version with a checkpoint and scores, as a worker leaves them, to judge and release."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from studio import runs
from studio.contract import (
    AnswerMode,
    BehaviourSpec,
    EvaluateSpec,
    Prediction,
    Result,
    ScoreFile,
    Scores,
    TrainSpec,
    Variant,
    VariantAnswer,
)
from studio.datasets.versions import Version, freeze
from studio.evaluation.scores import score
from studio.ingest.importer import import_path
from studio.runs import Job, Run
from studio.samples.canonical import read_answer, write_answer
from studio.samples.scheme import load_scheme
from studio.store import Store
from studio.workspace import Workspace
from tests.support.evaluations import titles
from tests.support.model_folders import make_adapter
from tests.support.samples import sample, write_json
from tests.support.workspaces import base_model

CATEGORIES = load_scheme().names
MODES: tuple[AnswerMode, ...] = ("direct", "chain")
CHECKPOINT = "checkpoints/step_000300"


def frozen(
    db: Store,
    workspace: Workspace,
    *,
    count: int = 200,
    eval_share: float = 0.4,
    sealed_share: float | None = None,
) -> Version:
    """Freeze titles of which no two are near copies, of every category in turn."""
    rows = [
        sample(title, CATEGORIES[row % len(CATEGORIES)], f"看“{title[:2]}”。")
        for row, title in enumerate(titles(count))
    ]
    import_path(db, write_json(workspace.home / "rows.json", rows), load_scheme())
    return freeze(
        db,
        workspace,
        "news",
        eval_share=eval_share,
        sealed_share=sealed_share,
        author="ann",
        scheme=load_scheme(),
        accept_warnings=True,
    )


def rows_of(folder: Path, entry: str) -> list[tuple[str, str]]:
    """Read titles and labels of an entry of a dataset folder."""
    found = []
    for row in json.loads((folder / f"{entry}.json").read_text(encoding="utf-8")):
        question, answer = (turn["value"] for turn in row["conversations"])
        found.append((question.removeprefix("新闻分类："), read_answer(answer).label))
    return found


def answers(
    rows: Sequence[tuple[str, str]], is_right: Callable[[int], bool], mode: AnswerMode, *, chain: str = ""
) -> list[Prediction]:
    """Answer rows, a wrong one as the next category; a chain quotes the title unless another is given."""
    found = []
    for row, (title, label) in enumerate(rows):
        said = label if is_right(row) else CATEGORIES[(CATEGORIES.index(label) + 1) % len(CATEGORIES)]
        written = chain or f"看“{title[:2]}”。"
        found.append(
            Prediction(
                row=row,
                title=title,
                label=label,
                label_chain="",
                answer=mode,
                predicted=said,
                chain=written if mode == "chain" else None,
                text=write_answer(written, said) if mode == "chain" else "",
            )
        )
    return found


def scored(folder: Path, predictions: Sequence[Prediction]) -> None:
    """Write predictions and scores into a run folder."""
    evaluations: dict[AnswerMode, Scores] = {}
    for mode in MODES:
        if mine := [each for each in predictions if each.answer == mode]:
            evaluations[mode] = score(mine, CATEGORIES, answer=mode, seconds=1.0)
    lines = "".join(f"{each.model_dump_json()}\n" for each in predictions)
    (folder / "predictions.jsonl").write_text(lines, encoding="utf-8")
    file = ScoreFile(evaluations=evaluations)
    (folder / "scores.json").write_text(file.model_dump_json(by_alias=True), encoding="utf-8")


def ended(folder: Path, **fields: Any) -> None:
    """Move the result of a worker that is done into a run folder."""
    (folder / "alive").touch()
    result = Result(status="done", seconds=0, peak_memory_gib=1, **fields)
    (folder / "result.json").write_text(result.model_dump_json(), encoding="utf-8")


def candidate(
    workspace: Workspace,
    version: Version,
    is_right: Callable[[int], bool] = lambda row: row % 10 != 0,
    *,
    label: str = "",
    modes: Sequence[AnswerMode] = MODES,
    chain: str = "",
    **settings: Any,
) -> Run:
    """Write a training on a version that is done: its adapter, its answers to the version's eval rows."""
    small = workspace.models / "small"
    if not small.exists():
        base_model(small)
    spec = TrainSpec(model_name_or_path=small, dataset_dir=version.folder, **settings)
    run = runs.prepare_run(workspace, spec, label=label, version=version.ref)
    rows = rows_of(version.folder, "eval")
    scored(run.folder, [each for mode in modes for each in answers(rows, is_right, mode, chain=chain)])
    (run.folder / CHECKPOINT).parent.mkdir()
    make_adapter(run.folder / CHECKPOINT, small)
    (run.folder / CHECKPOINT / "name.json").write_text(json.dumps(run.id))
    ended(run.folder, checkpoint=CHECKPOINT)
    return runs.get_run(workspace, run.id)


def evaluated(
    workspace: Workspace, run: Run, version: Version, is_right: Callable[[int], bool], **fields: Any
) -> Run:
    """Write an evaluation of a run's model on a version."""
    model, adapter = runs.trained_model(run)
    spec = EvaluateSpec(
        model_name_or_path=model,
        adapter_name_or_path=adapter,
        dataset_dir=version.folder,
        run=run.id,
        answer="direct",
        **fields,
    )
    made = runs.prepare_run(workspace, spec, version=version.ref)
    rows = rows_of(version.folder, "eval")[: spec.limit]
    scored(made.folder, answers(rows, is_right, "direct"))
    ended(made.folder)
    return runs.get_run(workspace, made.id)


def answer_sealed(job: Job, is_right: Callable[[int], bool]) -> None:
    """Do the work of an opened sealed set, as a worker would."""
    scored(job.folder, answers(rows_of(job.folder, "eval"), is_right, "direct"))
    ended(job.folder)


def behaviour_tested(workspace: Workspace, run: Run, flips: int, titles_tested: int = 20) -> Job:
    """Write behavioural tests of an evaluation in which so many titles flipped."""
    spec = BehaviourSpec(model_name_or_path=workspace.models / "small", run=run.id)
    job = runs.prepare_job(workspace, spec)
    rows = rows_of(run.spec.dataset_dir, "eval")[:titles_tested]
    variants, given = [], []
    for row, (title, label) in enumerate(rows):
        for test, text in (("", title), ("same", title), ("prefix", f"【快讯】{title}")):
            other = CATEGORIES[(CATEGORIES.index(label) + 1) % len(CATEGORIES)]
            said = other if test == "prefix" and row < flips else label
            variants.append(Variant(row=row, test=test, title=text))
            given.append(VariantAnswer(row=row, test=test, predicted=said, probability=0.9))
    for name, lines in (("variants.jsonl", variants), ("answers.jsonl", given)):
        text = "".join(f"{line.model_dump_json()}\n" for line in lines)
        (job.folder / name).write_text(text, encoding="utf-8")
    ended(job.folder)
    return runs.get_job(workspace, job.id)
