"""Put the commands together; entry of `news-studio`. Names and JSON keys are stable."""

import logging

import typer

from studio.cli import _data as cli_data
from studio.cli import _datasets as cli_datasets
from studio.cli import _drafts as cli_drafts
from studio.cli import _models as cli_models
from studio.cli import _runs as cli_runs
from studio.cli import _training as cli_train
from studio.cli._common import AsJson, Home, print_json, report_errors
from studio.cli._status import StatusLine
from studio.language import current_language, say
from studio.workspace import Settings, open_workspace

app = typer.Typer(
    help="From raw Chinese news titles to a measured, usable classifier.",
    no_args_is_help=True,
    add_completion=False,
)
for part in (cli_data.app, cli_datasets.app, cli_drafts.app, cli_train.app, cli_models.app, cli_runs.app):
    app.add_typer(part)


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
    """Entry of the `news-studio` command."""
    current_language.set(Settings().lang)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    app()
