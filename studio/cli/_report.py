"""Write a report of a run or a comparison: `report`."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from studio.cli._common import AsJson, Home, print_json, report_errors, workspace_at
from studio.contract import AnswerMode
from studio.errors import InputError
from studio.evaluation.compared import compare_entries, load_entries
from studio.evaluation.entries import find_entries
from studio.evaluation.report import write_report
from studio.evaluation.wear import wear_of
from studio.gate.lineage import lineage_reader
from studio.language import Language, current_language, say
from studio.store import open_store
from studio.system.atomic import guard_disk

app = typer.Typer()


@app.command()
def report(
    refs: Annotated[
        list[str],
        typer.Argument(metavar="RUN [RUN ...]", help="One run, or several to compare, as in `compare`."),
    ],
    out: Annotated[Path, typer.Option("--out", help="A new file.")] = Path("report.html"),
    lang: Annotated[Language | None, typer.Option(help="Language of the report (default: yours).")] = None,
    answer: Annotated[
        AnswerMode | None, typer.Option(help="Way of answering (default: chain if any).")
    ] = None,
    common: Annotated[bool, typer.Option("--common", help="As in `compare`.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write one self-contained HTML file: verdict, numbers, categories, matrix, titles, origin, lineage."""
    with report_errors():
        workspace = workspace_at(home)
        if out.exists():
            raise InputError(
                say(f"{out} 已经存在。", f"{out} is there already."),
                remedy=say("请用 --out 给一个新文件名。", "Name a new file with --out."),
            )
        entries = find_entries(workspace, refs, answer)
        found = load_entries(entries) if len(entries) == 1 else compare_entries(entries, common=common)
        with closing(open_store(workspace.database)) as db:
            wear = wear_of(db, found.rows_sha256)
        text = write_report(
            entries,
            lang or current_language.get(),
            common=common,
            wear=wear,
            lineage=lineage_reader(workspace),
        )
        with guard_disk(out.parent):
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(text, encoding="utf-8")
    if as_json:
        print_json({"out": str(out), "runs": [entry.key for entry in entries], "bytes": out.stat().st_size})
    else:
        typer.echo(say(f"报告在 {out}。", f"The report is {out}."))
