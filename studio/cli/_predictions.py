"""Import predictions of other programs, export predictions of runs: `predictions import | export`.

Exit code 0: done; 1: the work failed; 2: no such file, run or data set, or the output exists.
"""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from studio.cli._common import AsJson, Home, print_json, report_errors, user_name, workspace_at
from studio.contract import AnswerMode
from studio.datasets.lookup import resolve_dataset
from studio.errors import InputError
from studio.evaluation.entries import find_entry
from studio.evaluation.prediction_import import (
    ExportForm,
    export_predictions,
    import_predictions,
)
from studio.language import say
from studio.store import open_store
from studio.system.atomic import guard_disk

predictions = typer.Typer(help="Answers of other programs in, answers of runs out.", no_args_is_help=True)
app = typer.Typer()
app.add_typer(predictions, name="predictions")


@predictions.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="LLaMA-Factory's generated_predictions.jsonl, OpenAI batch output, or a table (csv, tsv,"
            " xlsx, json, jsonl, parquet) with a title and a predicted category, perhaps a probability."
        ),
    ],
    dataset: Annotated[
        str | None,
        typer.Option(
            help="What was answered: a version, a folder or `bundled`; without it the file's own labels."
        ),
    ] = None,
    entry: Annotated[str, typer.Option(help="Entry of its dataset_info.json.")] = "eval",
    name: Annotated[str, typer.Option(help="Name of the evaluation (default: the file's).")] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Import a file of answers as an evaluation, which is scored and compared like one of ours."""
    with report_errors():
        workspace = workspace_at(home)
        found = resolve_dataset(workspace, dataset) if dataset else None
        with closing(open_store(workspace.database)) as db:
            report = import_predictions(
                db, workspace, file, found, author=user_name(), entry=entry, label=name
            )
    if as_json:
        print_json(report.to_json())
    else:
        typer.echo(report.sentence)


@predictions.command()
def export(
    run: Annotated[str, typer.Argument(help="A run or evaluation by id or name.")],
    out: Annotated[Path, typer.Argument(help="A new file that ends in .csv, .json or .parquet.")],
    answer: Annotated[
        AnswerMode | None, typer.Option(help="Way of answering (default: chain if any).")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Export the predictions of a run; .json has the scores, too."""
    with report_errors():
        forms: dict[str, ExportForm] = {".csv": "csv", ".json": "json", ".parquet": "parquet"}
        form = forms.get(out.suffix.lower())
        if form is None or out.exists():
            raise InputError(
                say(f"{out} 不能写。", f"{out} cannot be written.")
                if form is None
                else say(f"{out} 已经存在。", f"{out} is there already."),
                remedy=say(
                    "请给一个以 .csv、.json 或 .parquet 结尾的新文件名。",
                    "Name a new file that ends in .csv, .json or .parquet.",
                ),
            )
        entry = find_entry(workspace_at(home), run, answer)
        content = export_predictions(entry.runs[0], entry.answer, form)
        with guard_disk(out.parent):
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(content)
    if as_json:
        print_json({"run": entry.runs[0].id, "answer": entry.answer, "out": str(out), "n": entry.n})
    else:
        typer.echo(say(f"已导出到 {out}。", f"Exported to {out}."))
