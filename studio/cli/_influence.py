"""Find the training rows behind wrong answers: `influence`.

Exit code 0: found; 1: the work failed; 2: no such run, answer or cell, or its model was not trained here.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from studio import runs
from studio.cli._common import AsJson, Home, print_json, report_errors, workspace_at
from studio.cli._status import StatusLine
from studio.contract import UNPARSED, AnswerMode, Prediction
from studio.errors import InputError
from studio.evaluation import influence_runs
from studio.evaluation.influence_runs import Influences, Pusher, SuspectedRow
from studio.evaluation.training_rows import folder_scheme
from studio.language import say
from studio.operations.waiting import wait_or_cancel
from studio.runs import Run
from studio.workspace import Workspace

app = typer.Typer()


@app.command()
def influence(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A scored run, or an evaluation of one.")],
    row: Annotated[
        int | None, typer.Option(min=0, help="A wrong answer: row of the evaluated file, from 0.")
    ] = None,
    cell: Annotated[
        tuple[str, str] | None,
        typer.Option(help="Category of the dataset and the model's answer: the errors of that cell."),
    ] = None,
    answer: Annotated[
        AnswerMode | None, typer.Option(help="Way of answering (default: direct where there is one).")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, help="Compute at most this many wrong answers.")
    ] = influence_runs.MOST_TARGETS,
    again: Annotated[bool, typer.Option("--again", help="Compute anew what was computed before.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show which training rows pushed a model to its wrong answers, and which labels are suspected.

    Computed once, as a job; later calls read the result. Without --row and --cell the suspected labels.
    """
    with report_errors():
        if row is not None and cell is not None:
            raise InputError(
                say("--row 和 --cell 只能选一个。", "--row and --cell exclude each other."),
                remedy=say("请去掉其中一个。", "Leave one of them out."),
            )
        workspace = workspace_at(home)
        run = runs.get_run(workspace, run_id)
        found = _computed(workspace, run, limit=limit, again=again, quiet=as_json)
        if row is None and cell is None:
            _show_suspected(run, found, as_json=as_json)
            return
        answers = _chosen(run, found, row, cell, answer)
        up, down = found.pushers(answers)
        if as_json:
            document = {"for": _documents(up), "against": _documents(down)}
            print_json({"run": run.id, "answers": [_answered(each) for each in answers], **document})
            return
        for each in answers:
            typer.echo(f"{each.title}  {each.label} -> {each.predicted or UNPARSED}")
        for name, rows in (
            (say("推向错答案的", "pushed for the wrong answer"), up),
            (say("拉向数据集类别的", "held to the dataset's category"), down),
        ):
            typer.echo(name)
            for pusher in rows:
                typer.echo(f"  {pusher.effect:+.2f}  {pusher.row + 1:>6}  {pusher.category}  {pusher.title}")


def _computed(workspace: Workspace, run: Run, *, limit: int, again: bool, quiet: bool) -> Influences:
    """Read the influences of a run, or compute them and wait."""
    scheme = folder_scheme(run.spec.dataset_dir)
    last = influence_runs.last_influence(workspace, run, scheme)
    if last is not None and last.result is not None and not again:
        return last.result
    job = last.job if last is not None and not last.job.is_over else None
    job = job or influence_runs.start(workspace, run, limit=limit)
    job = wait_or_cancel(workspace, job, StatusLine(quiet=quiet))
    runs.require_done(job)
    return influence_runs.read_influences(workspace, job, run, scheme)


def _chosen(
    run: Run, found: Influences, row: int | None, cell: tuple[str, str] | None, answer: AnswerMode | None
) -> list[Prediction]:
    """Choose the computed errors of a row or a cell, of one way of answering.

    Raises:
        InputError: there is none.
    """
    for mode in (answer,) if answer else ("direct", "chain"):
        wrong = [each for each in found.file.targets if each.answer == mode]
        if row is not None:
            wrong = [each for each in wrong if each.row == row]
        if cell is not None:
            wrong = [each for each in wrong if (each.label, each.predicted or UNPARSED) == cell]
        if wrong:
            return wrong
    raise InputError(
        say(f"运行 {run.id} 没有算过这样的错误。", f"No such error of run {run.id} was computed."),
        remedy=say(
            "用 news-studio predictions export 查看它答错了哪些；--again 重新计算。",
            "See its errors with news-studio predictions export; --again computes anew.",
        ),
    )


def _show_suspected(run: Run, found: Influences, *, as_json: bool) -> None:
    rows = found.suspected()
    if as_json:
        document = {"rows": len(found.file.rows), "targets": len(found.file.targets)}
        print_json({"run": run.id, **document, "suspected": [_suspected(each) for each in rows]})
        return
    typer.echo(
        say(
            f"{len(found.file.rows)} 行训练数据里最可疑的 {len(rows)} 行：",
            f"The {len(rows)} most suspected of {len(found.file.rows)} training rows:",
        )
    )
    for each in rows:
        typer.echo(f"  {each.suspicion:.2f}  {each.row + 1:>6}  {each.category}  {each.title}")


def _answered(each: Prediction) -> dict[str, Any]:
    return each.model_dump(mode="json", include={"row", "title", "label", "predicted", "answer"})


def _documents(rows: Sequence[Pusher]) -> list[dict[str, Any]]:
    return [
        {"row": row.row, "title": row.title, "category": row.category, "effect": round(row.effect, 4)}
        for row in rows
    ]


def _suspected(row: SuspectedRow) -> dict[str, Any]:
    return {
        "row": row.row,
        "title": row.title,
        "category": row.category,
        "suspicion": round(row.suspicion, 4),
        "support": round(row.support, 4),
        "loss": round(row.loss, 4),
    }
