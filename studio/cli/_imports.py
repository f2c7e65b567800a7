"""Import titles, list imports, undo one: `import`.

Exit code 0: done; 1: the work failed; 2: unusable arguments or input.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from studio.cli._common import AsJson, Categories, Home, print_json, report_errors, user_name
from studio.errors import InputError
from studio.formats.columns import Columns
from studio.ingest.import_batches import ImportBatch, Undone, list_import_batches, undo_import, write_report
from studio.ingest.importer import ImportReport, import_path
from studio.ingest.preview import FilePreview, preview_file
from studio.language import say
from studio.messages import shown
from studio.samples.scheme import load_scheme
from studio.store import Store, open_store
from studio.workspace import open_workspace

app = typer.Typer()

SHOWN = 50
"""Lines that are printed for a person; --json and --report have them all."""


def _column(what: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        f"--{what}-column", help=f"Column of a table with the {what} (default: known by its name)."
    )
    return option


@app.command("import")
def import_(
    path: Annotated[
        Path | None,
        typer.Argument(help="Titles or conversations: a file, or a folder with dataset_info.json."),
    ] = None,
    title_column: Annotated[str | None, _column("title")] = None,
    category_column: Annotated[str | None, _column("category")] = None,
    chain_column: Annotated[str | None, _column("chain")] = None,
    source_column: Annotated[str | None, _column("source")] = None,
    date_column: Annotated[str | None, _column("date")] = None,
    preview: Annotated[
        bool,
        typer.Option("--preview", help="Show the first rows and how the columns are mapped; import nothing."),
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write the outcome of every row to this CSV file.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the imports of the workspace.")] = False,
    undo: Annotated[
        int | None, typer.Option("--undo", help="Undo the import of this number.", metavar="BATCH")
    ] = None,
    home: Home = None,
    categories: Categories = None,
    as_json: AsJson = False,
) -> None:
    """Import titles or conversations; no row is lost, duplicates are merged."""
    columns = Columns(
        title=title_column,
        category=category_column,
        chain=chain_column,
        source=source_column,
        date=date_column,
    )
    with report_errors():
        _require_one(path is not None, list_, undo is not None)
        if path is not None and preview:
            _show_preview(preview_file(path, columns), as_json)
            return
        with closing(open_store(open_workspace(home).database)) as db:
            if list_:
                _show_batches(list_import_batches(db), as_json)
            elif undo is not None:
                _show_undone(undo_import(db, undo, user_name()), as_json)
            elif path is not None:
                _import(db, path, columns, categories, report, as_json)


def _require_one(*given: bool) -> None:
    if sum(given) != 1:
        raise InputError(
            say("请给出一个文件，或 --list，或 --undo。", "Name a file, or --list, or --undo; one of them."),
            remedy=say("news-studio import --help 有说明。", "See news-studio import --help."),
        )


def _import(
    db: Store, path: Path, columns: Columns, categories: Path | None, report: Path | None, as_json: bool
) -> None:
    try:
        done = import_path(db, path, load_scheme(categories), columns=columns, author=user_name())
    except KeyboardInterrupt:
        _report_interrupt(db)
        raise
    if report is not None:
        write_report(db, done.batch_id, report)
    if as_json:
        print_json(done.to_json())
    else:
        _show_import(done)


def _report_interrupt(db: Store) -> None:
    """Report on stderr whether the interrupted import was cancelled or is staged to finish later."""
    newest = next(iter(list_import_batches(db)), None)
    if newest is not None and newest.state == "staged":
        message = say(
            "已中断：各行都已读入，下次导入或打开首页时自动完成。",
            "Interrupted after every row was read: the next import, or the Home page, completes it.",
        )
    else:
        message = say(
            "已取消，没有导入任何标题；重新运行即可再次导入。",
            "Cancelled, no title was imported; run the command again to import.",
        )
    typer.echo(message, err=True)


def _show_import(report: ImportReport) -> None:
    typer.echo(
        say(
            f"{report.rows} 行：新增 {report.added} 个标题"
            f"（{report.decided} 个已定类别，{report.waiting} 个待标注），"
            f"合并重复 {report.merged} 行，拒收 {len(report.refused)} 行。导入编号 {report.batch_id}。",
            f"{report.rows} rows: {report.added} new titles"
            f" ({report.decided} decided, {report.waiting} waiting), "
            f"{report.merged} merged, {len(report.refused)} refused. Import number {report.batch_id}.",
        )
    )
    if report.near:
        typer.echo(
            say(
                f"{report.near} 个新标题与更早的标题相近，已归组：",
                f"{report.near} new titles are nearly the same as earlier ones, and grouped with them:",
            )
        )
        _list([f"{pair.text} ≈ {pair.earlier_text}（{pair.similarity:.0f}）" for pair in report.near_pairs])
    _list([f"{row['file']}:{row['row']}  {row['reason']}" for row in report.refused_rows])
    _list(list(report.notes))


def _list(lines: Sequence[str]) -> None:
    for line in lines[:SHOWN]:
        typer.echo(f"  {line}")
    if len(lines) > SHOWN:
        typer.echo(say(f"  …… 还有 {len(lines) - SHOWN} 条", f"  ... and {len(lines) - SHOWN} more"))


def _show_preview(preview: FilePreview, as_json: bool) -> None:
    if as_json:
        print_json(preview.to_json())
        return
    if preview.encoding:
        typer.echo(say(f"编码：{preview.encoding}", f"Encoding: {preview.encoding}"))
    if preview.columns:
        typer.echo(say("列：", "Columns: ") + ", ".join(preview.columns))
        mapped = [f"{part} ← {column}" for part, column in asdict(preview.chosen).items() if column]
        typer.echo(say("读作：", "Read as: ") + "; ".join(mapped))
        if preview.chosen.title is None:
            typer.echo(
                say(
                    "没有标题列，请用 --title-column 选择。",
                    "No column of titles; choose one: --title-column.",
                )
            )
    for row in preview.rows:
        cells = [row.title or row.question, row.answer, row.source, row.date]
        if cells[0] is None and preview.columns:
            cells = [str(cell) for cell in row.record.values() if cell is not None]
        typer.echo(f"  {row.row}  " + " | ".join(" ".join(cell.split())[:80] for cell in cells if cell))


def _show_batches(batches: Sequence[ImportBatch], as_json: bool) -> None:
    if as_json:
        print_json([batch.to_json() for batch in batches])
        return
    if not batches:
        typer.echo(say("还没有导入过。", "Nothing has been imported yet."))
    for batch in batches:
        typer.echo(
            say(
                f"{batch.id:5d}  {batch.imported_at[:16]}  {batch.author}  {shown(batch.source)}："
                f"{batch.rows} 行，新增 {batch.added}，合并 {batch.merged}，"
                f"拒收 {batch.refused}  [{batch.state}]",
                f"{batch.id:5d}  {batch.imported_at[:16]}  {batch.author}  {shown(batch.source)}: "
                f"{batch.rows} rows, {batch.added} added, {batch.merged} merged, "
                f"{batch.refused} refused  [{batch.state}]",
            )
        )


def _show_undone(undone: Undone, as_json: bool) -> None:
    if as_json:
        print_json(undone.to_json())
        return
    typer.echo(
        say(
            f"已撤销：{undone.withdrawn} 个标题撤下，{undone.shared} 个还有别的来源，"
            f"{len(undone.kept)} 个已有人处理、保留：",
            f"Undone: {undone.withdrawn} titles withdrawn, {undone.shared} also came from elsewhere, "
            f"{len(undone.kept)} that people have worked on stay:",
        )
    )
    _list([title.text for title in undone.kept])
