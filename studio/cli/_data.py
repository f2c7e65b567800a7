"""Check data and freeze dataset versions: `check`, `freeze`.

Exit code 0: done; 1: problems found or the work failed; 2: unusable arguments or input.
"""

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from studio.cli._common import AsJson, Categories, Home, print_json, report_errors, user_name
from studio.cli._imports import CategoryColumn, Form, HeaderRow, Separator, Sheet, TitleColumn, file_choices
from studio.cli._imports import app as import_app
from studio.datasets.eval_list import read_eval_list
from studio.datasets.outlook import freeze_outlook
from studio.datasets.versions import Chainless, Version, freeze
from studio.errors import InputError
from studio.formats.columns import Columns
from studio.language import say
from studio.samples.problems import Problem
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.validation.check import CheckReport, check_path
from studio.validation.repair import write_repaired
from studio.workspace import open_workspace

app = typer.Typer()
app.add_typer(import_app)

SHOWN = 50
"""Problems that are printed for a person; --json has them all."""


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="A data file, or a folder with dataset_info.json.")],
    fix: Annotated[
        Path | None, typer.Option("--fix", help="Write a copy with every safe repair to this new path.")
    ] = None,
    title_column: TitleColumn = None,
    category_column: CategoryColumn = None,
    form: Form = None,
    separator: Separator = None,
    header_row: HeaderRow = None,
    sheet: Sheet = None,
    categories: Categories = None,
    as_json: AsJson = False,
) -> None:
    """Validate conversations or titles, row by row."""
    with report_errors():
        scheme = load_scheme(categories)
        columns = Columns(title=title_column, category=category_column)
        choices = file_choices(form, separator, header_row, sheet, columns)
        report = check_path(path, scheme, choices)
        can_fix = fix is not None and not report.unreadable
        repaired = write_repaired(path, fix, scheme, choices=choices) if fix and can_fix else None
        if as_json:
            more = {} if repaired is None else {"repaired": repaired.to_json()}
            sys.stdout.writelines(report.json_pieces(**more))
        else:
            _show_report(report)
            if repaired is not None:
                typer.echo(
                    say(
                        f"已写入 {repaired.out}：{repaired.rows} 行，其中 {repaired.changed} 行有修改，"
                        f"逐行记在 {repaired.changes}。",
                        f"Wrote {repaired.out}: {repaired.rows} rows, {repaired.changed} of them changed,"
                        f" row by row in {repaired.changes}.",
                    )
                )
        if report.unreadable:
            raise typer.Exit(2)
    raise typer.Exit(1 if report.has_errors else 0)


def _show_report(report: CheckReport) -> None:
    for problem in report.unreadable:
        typer.echo(_line(problem), err=True)
    if not report.rows and len(report.problems) == len(report.unreadable) > 0:
        return
    worst = report.problems.worst(SHOWN + len(report.unreadable))
    shown = [problem for problem in worst if problem not in report.unreadable][:SHOWN]
    for problem in shown:
        typer.echo(_line(problem))
    if left := len(report.problems) - len(report.unreadable) - len(shown):
        typer.echo(
            say(f"…… 还有 {left} 条，用 --json 看全部。", f"... and {left} more; --json has them all.")
        )
    typer.echo(
        say(
            f"{report.rows} 行，{report.valid} 行可用，{len(report.problems)} 个问题。",
            f"{report.rows} rows, {report.valid} valid, {len(report.problems)} problems.",
        )
    )
    for code, count in report.counts.items():
        typer.echo(f"  {count:6d}  {code}")


def _line(problem: Problem) -> str:
    location = problem.file if problem.row is None else f"{problem.file}:{problem.row}"
    return f"{location}  {problem.severity}  {problem.code}  {problem.message}"


@app.command("freeze")
def freeze_(
    name: Annotated[str, typer.Argument(help="Name of the dataset; each freeze makes its next version.")],
    eval_share: Annotated[
        float | None,
        typer.Option(
            "--eval-share",
            help="Share of the titles without a fixed split to evaluate"
            " (default: 0.2, or none if the import fixed some).",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Which titles the share picks.")] = 42,
    eval_list: Annotated[
        Path | None,
        typer.Option("--eval-list", help="A file of titles to evaluate; the others are trained on."),
    ] = None,
    resplit: Annotated[
        bool,
        typer.Option(
            "--resplit",
            help="Forget what earlier versions and the import evaluated; scores will not compare.",
        ),
    ] = False,
    accept_warnings: Annotated[
        bool,
        typer.Option("--accept-warnings", help="Freeze also where that asks; the warnings become notes."),
    ] = False,
    without_chain: Annotated[
        str,
        typer.Option(
            "--without-chain",
            help="Decided titles without a think chain: keep them, as direct answers, or leave-out.",
        ),
    ] = "keep",
    sealed_share: Annotated[
        float | None,
        typer.Option(
            "--sealed-share",
            help="Share of the titles to seal for the release: neither trained nor evaluated on.",
        ),
    ] = None,
    interval: Annotated[
        float,
        typer.Option(
            "--interval",
            help="Half width of the interval wanted for each category's recall; thin categories are told.",
        ),
    ] = 0.1,
    home: Home = None,
    categories: Categories = None,
    as_json: AsJson = False,
) -> None:
    """Freeze the decided titles as a dataset version and write its files."""
    with report_errors():
        workspace = open_workspace(home)
        scheme = load_scheme(categories)
        eval_titles = () if eval_list is None else read_eval_list(eval_list, scheme)
        chainless = _chainless(without_chain, interval)
        with closing(open_store(workspace.database)) as db:
            outlook = freeze_outlook(
                db,
                name,
                eval_share=eval_share,
                seed=seed,
                eval_titles=eval_titles,
                resplit=resplit,
                chainless=chainless,
                sealed_share=sealed_share,
                half_width=interval,
                scheme=scheme,
            )
            for sentence in outlook.sentences:
                typer.echo(sentence, err=True)
            version = freeze(
                db,
                workspace,
                name,
                eval_share=eval_share,
                seed=seed,
                eval_titles=eval_titles,
                resplit=resplit,
                accept_warnings=accept_warnings,
                chainless=chainless,
                sealed_share=sealed_share,
                author=user_name(),
                scheme=scheme,
            )
    if as_json:
        print_json({**version.to_json(), "outlook": outlook.to_json()})
    else:
        _show_version(version)


def _chainless(word: str, interval: float) -> Chainless:
    known: dict[str, Chainless] = {"keep": "keep", "leave-out": "leave_out"}
    if word not in known or not 0 < interval < 1:
        raise InputError(
            say(
                f"--without-chain {word} 或 --interval {interval:g} 不可用。",
                f"--without-chain {word} or --interval {interval:g} cannot be used.",
            ),
            remedy=say(
                "--without-chain 写 keep 或 leave-out，--interval 写 0 与 1 之间的数。",
                "Write keep or leave-out as --without-chain, a number between 0 and 1 as --interval.",
            ),
        )
    return known[word]


def _show_version(version: Version) -> None:
    rows = version.rows
    typer.echo(
        say(
            f"已冻结 {version.ref}：训练 {rows['train']} 行，评估 {rows['eval']} 行。\n  {version.folder}",
            f"Froze {version.ref}: {rows['train']} rows to train on, {rows['eval']} to evaluate."
            f"\n  {version.folder}",
        )
    )
    for note in version.notes:
        typer.echo(f"  {note}")
