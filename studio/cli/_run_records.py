"""List, show, name, note, tag, delete and restore runs: more of `news-studio runs`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from studio import runs
from studio.cli._common import AsJson, Home, print_json, report_errors, workspace_at
from studio.cli._runs import Ids, for_each, given_before, queue_positions, run_document, runs_app
from studio.contract import Scores
from studio.language import say
from studio.runs import Run, RunState
from studio.training.presets import Method
from studio.training.run_table import (
    Kind,
    RunFilter,
    RunOrder,
    RunRow,
    differences,
    found_rows,
    run_rows,
    settings_in_full,
)

GROUP = runs_app
"""The group that the commands below are added to."""
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run.")]


@runs_app.command("list")
def list_(
    context: typer.Context,
    text: Annotated[str, typer.Option("--search", help="Words in name, note, tags, base or data.")] = "",
    kind: Annotated[Kind | None, typer.Option(help="Only trainings, or only evaluations.")] = None,
    state: Annotated[RunState | None, typer.Option(help="Only runs in this state.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only runs with this tag.")] = None,
    method: Annotated[Method | None, typer.Option(help="Only this fine-tuning method.")] = None,
    sort: Annotated[RunOrder, typer.Option(help="Order of the list.")] = "newest",
    trash: Annotated[bool, typer.Option("--trash", help="List the trash instead.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the runs with their scores, filtered and sorted."""
    home, as_json = given_before(context, home, as_json)
    with report_errors():
        workspace = workspace_at(home)
        if trash:
            _print_trash(runs.list_trash(workspace), as_json)
            return
        wanted = RunFilter(text=text, kind=kind, state=state, tag=tag, method=method)
        found, positions = found_rows(run_rows(workspace), wanted, sort), queue_positions(workspace)
        if as_json:
            print_json([_document(row, positions.get(row.run.id)) for row in found])
            return
        for row in found:
            typer.echo(_line(row))
        if not found:
            typer.echo(say("没有符合条件的运行。", "No run matches."))


@runs_app.command()
def show(context: typer.Context, ids: Ids, home: Home = None, as_json: AsJson = False) -> None:
    """Show runs: settings in full, scores with intervals; of several, what differs between them."""
    home, as_json = given_before(context, home, as_json)
    with report_errors():
        workspace = workspace_at(home)
        by_id = {row.run.id: row for row in run_rows(workspace)}
        rows = [by_id.get(run_id) or by_id[runs.get_run(workspace, run_id).id] for run_id in ids]
        positions = queue_positions(workspace)
        differing = {each.name: list(each.values) for each in differences(rows)} if len(rows) > 1 else {}
        if as_json:
            documents = [_document(row, positions.get(row.run.id), in_full=True) for row in rows]
            print_json(documents[0] if len(rows) == 1 else {"runs": documents, "differences": differing})
            return
        for row in rows:
            typer.echo(_line(row))
            if len(rows) == 1:
                _print_settings(row.run)
        for name, values in differing.items():
            typer.echo(f"  {name:<28} {'  |  '.join(map(_shown, values))}")


@runs_app.command()
def rename(
    context: typer.Context,
    run: RunId,
    name: Annotated[str, typer.Argument(help='The new name; "" takes it away.')],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Rename a run."""
    for_each(context, [run], home, as_json, lambda at, run_id: runs.rename(at, run_id, label=name))


@runs_app.command()
def note(
    context: typer.Context,
    run: RunId,
    text: Annotated[str, typer.Argument(help='The note; "" takes it away.')],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write the note of a run."""
    for_each(context, [run], home, as_json, lambda at, run_id: runs.rename(at, run_id, note=text))


@runs_app.command()
def tag(
    context: typer.Context,
    ids: Ids,
    add: Annotated[list[str] | None, typer.Option("--add", help="Tag to add; may be repeated.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="Tag to remove.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Add tags to runs, or remove some."""

    def change(at: Any, run_id: str) -> None:
        kept = [word for word in runs.get_job(at, run_id).record.tags if word not in (remove or ())]
        runs.tag(at, run_id, [*kept, *(add or ())])

    for_each(context, ids, home, as_json, change)


@runs_app.command()
def delete(
    context: typer.Context,
    ids: Ids,
    for_good: Annotated[
        bool, typer.Option("--for-good", help="Delete what is in the trash already, for good.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Move runs to the trash, from which `restore` brings them back."""
    home, as_json = given_before(context, home, as_json)
    with report_errors():
        workspace = workspace_at(home)
        for run_id in ids:
            (runs.delete_for_good if for_good else runs.delete)(workspace, run_id)
        if as_json:
            print_json({"deleted" if for_good else "trashed": ids})
        elif not for_good:
            typer.echo(
                say(
                    "已移到回收站；用 news-studio runs restore 恢复。",
                    "Moved to the trash; restore with: news-studio runs restore",
                )
            )


@runs_app.command()
def restore(context: typer.Context, ids: Ids, home: Home = None, as_json: AsJson = False) -> None:
    """Restore runs from the trash."""
    for_each(context, ids, home, as_json, runs.restore)


def _document(row: RunRow, position: int | None, *, in_full: bool = False) -> dict[str, Any]:
    """Build the document of a run with its scores and, where asked, every setting."""
    document = run_document(row.run, position)
    document |= {
        "method": row.method,
        "base": row.base,
        "data": row.data,
        "learning_rate": row.learning_rate,
        "seed": row.seed,
        "scores": {
            answer: {
                "n": scores.n,
                "accuracy": scores.accuracy,
                "accuracy_interval": list(scores.accuracy_interval),
                "macro_f1": scores.macro_f1,
                "unparsed": scores.unparsed,
            }
            for answer, scores in row.scores.items()
        },
    }
    if in_full:
        document["settings"] = settings_in_full(row.run)
    return document


def _line(row: RunRow) -> str:
    """Format a run on one line: id, state, scores with intervals, what it was made of, its name and tags."""
    scores = "  ".join(f"{answer} {_accuracy(one)}" for answer, one in row.scores.items())
    rate = f"{row.learning_rate:g}" if row.learning_rate is not None else ""
    tags = " ".join(f"#{tag}" for tag in row.run.record.tags)
    made = f"{row.method or 'base':<7} {row.base:<16} {row.data:<14} {rate:<8}"
    return f"{row.run.id:<32} {row.run.state:<10} {scores:<58} {made} {row.run.label} {tags}".rstrip()


def _accuracy(scores: Scores) -> str:
    low, high = scores.accuracy_interval
    return f"{scores.accuracy:.1%} ({low:.0%}-{high:.0%}, n={scores.n})"


def _print_settings(run: Run) -> None:
    for name, value in settings_in_full(run).items():
        typer.echo(f"  {name:<28} {_shown(value)}")
    if run.record.note:
        typer.echo(f"  {say('备注', 'note')}: {run.record.note}")


def _print_trash(found: Sequence[runs.Job], as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "id": job.id,
                    "kind": job.spec.kind,
                    "label": job.label,
                    "deleted_at": job.record.deleted_at.isoformat() if job.record.deleted_at else None,
                }
                for job in found
            ]
        )
        return
    for job in found:
        moment = f"{job.record.deleted_at:%Y-%m-%d %H:%M}" if job.record.deleted_at else ""
        typer.echo(f"{job.id:<32} {moment:<18} {job.label}".rstrip())
    if not found:
        typer.echo(say("回收站是空的。", "The trash is empty."))


def _shown(value: object) -> str:
    return "-" if value is None else str(Path(value).name if isinstance(value, Path) else value)
