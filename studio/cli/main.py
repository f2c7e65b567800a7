"""Assemble the commands; entry point of `news-studio`. Names and JSON keys are stable."""

import logging

import typer

from studio.cli import (
    _accounts,
    _annotations,
    _backups,
    _classify,
    _compare,
    _data,
    _datasets,
    _drafts,
    _export,
    _forgetting,
    _influence,
    _measuring,
    _models,
    _pairs,
    _predictions,
    _release,
    _report,
    _run_records,  # noqa: F401 - it adds its commands to `runs`
    _runs,
    _sample,
    _serving,
    _tracking,  # noqa: F401 - it adds its command to `runs`
    _training,
)
from studio.cli._common import AsJson, Home, print_json, report_errors
from studio.cli._status import StatusLine
from studio.language import current_language, say
from studio.workspace import Settings, open_workspace

app = typer.Typer(
    help="From raw Chinese news titles to a measured, usable classifier.",
    no_args_is_help=True,
    add_completion=False,
)
for module in (
    _data,
    _annotations,
    _datasets,
    _pairs,
    _drafts,
    _training,
    _sample,
    _serving,
    _classify,
    _export,
    _models,
    _runs,
    _influence,
    _compare,
    _predictions,
    _release,
    _report,
    _forgetting,
    _backups,
    _accounts,
    _measuring,
):
    app.add_typer(module.app)


@app.command()
def demo(home: Home = None, as_json: AsJson = False) -> None:
    """Run the whole loop on the bundled data and base model; takes a few minutes on two cores."""
    # Here: the other commands start faster without it.
    from studio.operations.demo import run_demo

    with report_errors():
        done = run_demo(
            open_workspace(home),
            on_message=lambda line: typer.echo(line, err=as_json),
            watcher=StatusLine(quiet=as_json),
        )
        if as_json:
            print_json(done.to_json())
            return
        for step, seconds in done.seconds.items():
            typer.echo(f"{step:<10} {seconds:6.1f} s")
        typer.echo(
            say(
                f"共 {sum(done.seconds.values()):.0f} 秒。用 news-studio up 在浏览器里查看。",
                f"{sum(done.seconds.values()):.0f} s in all. See it in the browser with news-studio up.",
            )
        )


def main() -> None:
    """Run the `news-studio` command: set the language, log warnings, dispatch to a command."""
    current_language.set(Settings().lang)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    app()
