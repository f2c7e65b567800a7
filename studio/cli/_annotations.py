"""Export and import annotations: `annotations export | import`.

Exit code 0: done; 1: nothing of the file could be used; 2: the file cannot be read, or the output exists.
"""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from studio.annotation.annotation_files import annotation_rows, read_annotations, write_annotations
from studio.annotation.annotation_import import AnnotationImport, import_annotations
from studio.cli._common import SHOWN, AsJson, Categories, Home, print_json, report_errors
from studio.language import say
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.workspace import open_workspace

annotations = typer.Typer(
    help="Annotations: who answered what, when, from which suggestion, in how many seconds.",
    no_args_is_help=True,
)
app = typer.Typer()
app.add_typer(annotations, name="annotations")


@annotations.command()
def export(
    out: Annotated[Path, typer.Argument(help="A new file that ends in .csv, .jsonl or .parquet.")],
    annotator: Annotated[str | None, typer.Option(help="Only what this person answered.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Export every answer, one a line: labels, skips and flags, retracted ones included."""
    with report_errors():
        workspace = open_workspace(home)
        with closing(open_store(workspace.database)) as db:
            count = write_annotations(out, annotation_rows(db, author=annotator))
    if as_json:
        print_json({"out": str(out), "rows": count})
    else:
        typer.echo(say(f"已导出 {count} 条标注到 {out}。", f"Exported {count} annotations to {out}."))


@annotations.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A file as `annotations export` writes it.")],
    categories: Categories = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Add answers with their authors and times to the titles of this workspace, joined by the titles' text.

    What is there already (same title, person and time) is left out.
    """
    with report_errors():
        workspace = open_workspace(home)
        with closing(open_store(workspace.database)) as db:
            done = import_annotations(db, read_annotations(file), load_scheme(categories))
    if as_json:
        print_json(done.to_json())
    else:
        _report(done)
    if done.rows and not done.added and not done.already_there:
        raise typer.Exit(1)


def _report(done: AnnotationImport) -> None:
    typer.echo(
        say(
            f"{done.rows} 行：新增 {done.added}，已有 {done.already_there}，"
            f"没有对应标题 {done.unmatched_rows}，不能用 {done.refused_rows}；"
            f"{done.moved} 条标题不再等待标注。",
            f"{done.rows} rows: {done.added} added, {done.already_there} already there, "
            f"{done.unmatched_rows} without a title here, {done.refused_rows} unusable; "
            f"{done.moved} titles no longer wait.",
        )
    )
    for row, reason in done.refused[:SHOWN]:
        typer.echo(say(f"  第 {row} 行：{reason}", f"  row {row}: {reason}"), err=True)
    for row, title in done.unmatched[:SHOWN]:
        typer.echo(
            say(f"  第 {row} 行没有对应的标题：{title}", f"  row {row}, no such title: {title}"), err=True
        )
