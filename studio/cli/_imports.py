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
from studio.formats.choices import FORMS, FileChoices, separator_of
from studio.formats.columns import Columns
from studio.ingest.bundled import import_samples, is_bundled
from studio.ingest.import_batches import ImportBatch, Undone, list_import_batches, undo_import, write_report
from studio.ingest.importer import ImportReport, import_path
from studio.ingest.label_mapping import map_labels, unknown_labels
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
        f"--{what}-column",
        help=f"Column of a table with the {what}, or a path such as data.text (default: known by its name).",
    )
    return option


Form = Annotated[
    str | None,
    typer.Option("--form", help="How the file is written (default: found out): " + ", ".join(FORMS) + "."),
]
Separator = Annotated[
    str | None, typer.Option("--separator", help="What stands between cells: tab, space, or the signs.")
]
HeaderRow = Annotated[
    int | None,
    typer.Option("--header-row", min=0, help="Line or sheet row of the column names; 0: there is none."),
]
Sheet = Annotated[
    str | None, typer.Option("--sheet", help="Sheet of a workbook, by name or number (default: the first).")
]
TitleColumn = Annotated[str | None, _column("title")]
CategoryColumn = Annotated[str | None, _column("category")]


def file_choices(
    form: str | None, separator: str | None, header_row: int | None, sheet: str | None, columns: Columns
) -> FileChoices:
    """Make the choices about a file from the options of a command.

    Raises:
        InputError: an unknown form.
    """
    known = {name: name for name in FORMS}
    if form is not None and form not in known:
        raise InputError(
            say(f"没有叫 {form} 的形式。", f"There is no form {form}."),
            remedy=say(f"可用：{'、'.join(FORMS)}。", f"Known: {', '.join(FORMS)}."),
        )
    return FileChoices(
        form=None if form is None else known[form],
        separator=None if separator is None else separator_of(separator),
        header_row=header_row,
        sheet=sheet,
        columns=columns,
    )


@app.command("import")
def import_(
    path: Annotated[
        Path | None,
        typer.Argument(help="Titles or conversations: a file, or a folder with dataset_info.json."),
    ] = None,
    title_column: TitleColumn = None,
    category_column: CategoryColumn = None,
    chain_column: Annotated[str | None, _column("chain")] = None,
    source_column: Annotated[str | None, _column("source")] = None,
    date_column: Annotated[str | None, _column("date")] = None,
    form: Form = None,
    separator: Separator = None,
    header_row: HeaderRow = None,
    sheet: Sheet = None,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help="What a foreign label means, LABEL=CATEGORY; repeatable, remembered, undone with the "
            "import. Without PATH: for the titles of the newest import.",
        ),
    ] = None,
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
        choices = file_choices(form, separator, header_row, sheet, columns)
        means = _mapping(map_ or [])
        _require_one(path is not None, list_, undo is not None, bool(means) and path is None)
        if path is not None and preview:
            _show_preview(preview_file(path, choices, load_scheme(categories)), as_json)
            return
        with closing(open_store(open_workspace(home).database)) as db:
            if list_:
                _show_batches(list_import_batches(db), as_json)
            elif undo is not None:
                _show_undone(undo_import(db, undo, user_name()), as_json)
            elif path is not None:
                _import(db, path, choices, means, categories, report, as_json)
            else:
                _map_newest(db, means, categories, as_json)


def _mapping(given: Sequence[str]) -> dict[str, str | None]:
    """Read LABEL=CATEGORY; the last sign of equality separates them."""
    means: dict[str, str | None] = {}
    for text in given:
        label, equals, category = text.rpartition("=")
        if not equals or not label.strip():
            raise InputError(
                say(f"--map 应写成 标签=类别，这里是 {text}。", f"--map takes LABEL=CATEGORY, not {text}."),
                remedy=say("例如 --map 财经=经济。", "For example --map 财经=经济."),
            )
        means[label.strip()] = category.strip() or None
    return means


def _map_newest(db: Store, means: dict[str, str | None], categories: Path | None, as_json: bool) -> None:
    scheme = load_scheme(categories)
    newest = next((batch for batch in list_import_batches(db) if batch.state == "done"), None)
    if newest is None:
        raise InputError(
            say("还没有导入过。", "Nothing has been imported yet."),
            remedy=say("请先导入一个文件。", "Import a file first."),
        )
    changed = map_labels(db, means, scheme, batch_id=newest.id, author=user_name())
    left = unknown_labels(db, scheme, newest.id)
    if as_json:
        print_json({"changed": changed, "unknown_labels": [label.to_json() for label in left]})
        return
    typer.echo(say(f"{changed} 个标题因此有了类别。", f"{changed} titles have their category now."))


def _require_one(*given: bool) -> None:
    if sum(given) != 1:
        raise InputError(
            say(
                "请给出一个文件，或 --list，或 --undo，或 --map。",
                "Name a file, or --list, or --undo, or --map; one of them.",
            ),
            remedy=say("news-studio import --help 有说明。", "See news-studio import --help."),
        )


def _import(
    db: Store,
    path: Path,
    choices: FileChoices,
    means: dict[str, str | None],
    categories: Path | None,
    report: Path | None,
    as_json: bool,
) -> None:
    scheme = load_scheme(categories)
    try:
        if is_bundled(path):
            done = import_samples(db, scheme, author=user_name())
        else:
            done = import_path(db, path, scheme, choices=choices, means=means, author=user_name())
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
    if report.read_as:
        typer.echo(say("读作：", "Read as: ") + say("；", "; ").join(report.read_as))
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
    if report.unknown_labels:
        typer.echo(say("不是类别的答案：", "Answers that are no category:"))
        _list(
            [
                f"{unknown.label}（{unknown.count}）"
                + (f" → {unknown.proposal}?" if unknown.proposal else "")
                for unknown in report.unknown_labels
            ]
        )
        first = report.unknown_labels[0]
        example = f"--map {first.label}={first.proposal or say('类别', 'CATEGORY')}"
        typer.echo(
            say(
                f"可以一次定下它们的意思：news-studio import {example}",
                f"Say once what they mean: news-studio import {example}",
            )
        )


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
    if preview.sheets:
        typer.echo(say("工作表：", "Sheets: ") + ", ".join(preview.sheets))
    if preview.read_as:
        typer.echo(say("读法：", "Form: ") + say("；", "; ").join(preview.read_as))
    if preview.question:
        _show_question(preview)
    if preview.columns:
        typer.echo(say("列：", "Columns: ") + ", ".join(preview.columns))
        mapped = [f"{part} ← {column}" for part, column in asdict(preview.chosen).items() if column]
        typer.echo(say("读作：", "Read as: ") + "; ".join(mapped))
    for row in preview.rows:
        shown = [row.title or row.question, row.answer, row.source, row.date]
        if shown[0] is None and preview.columns:
            shown = [str(cell) for cell in row.record.values() if cell is not None]
        typer.echo(f"  {row.row}  " + " | ".join(" ".join(cell.split())[:80] for cell in shown if cell))


def _show_question(preview: FilePreview) -> None:
    typer.echo(preview.question)
    for option in preview.options:
        typer.echo(f"  {option.arguments}  {option.label}")
        for cells in option.rows:
            typer.echo("      " + " | ".join(cells)[:100])


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
