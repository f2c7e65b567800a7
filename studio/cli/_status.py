"""Show the progress of a job on one line of stderr."""

from collections.abc import Callable

import typer

from studio import runs
from studio.language import say
from studio.runs import Job


class StatusLine:
    """A `Watcher` that overwrites one line of stderr while the job runs.

    Args:
        text_of: what to show of a job; without it its progress, loss and ETA.
        quiet: show nothing, as where the output is JSON.
    """

    def __init__(self, text_of: Callable[[Job], str] | None = None, *, quiet: bool) -> None:
        self.text_of = text_of or progress_text
        self.quiet = quiet
        self.last = ""

    def show(self, job: Job) -> None:
        """Overwrite the line with the progress of the job."""
        text = self.text_of(job)
        if not self.quiet and text != self.last:
            typer.echo(f"\r{text:<60}", nl=False, err=True)
            self.last = text

    def stopping(self) -> None:
        """Acknowledge Ctrl-C, JSON or not: the end may take a while."""
        typer.echo(say("正在停止……", "Stopping ..."), err=True)

    def end(self) -> None:
        """Begin a new line for the next output."""
        if self.last:
            typer.echo("", err=True)
            self.last = ""


def progress_text(job: Job) -> str:
    """Format the progress of a job in one line."""
    progress = runs.progress(job)
    loss = f"  loss {progress.last.loss:.3f}" if progress.last else ""
    eta = f"  {progress.eta_seconds:.0f} s" if progress.eta_seconds else ""
    return f"{progress.phase or job.state} {progress.done}/{progress.total}{loss}{eta}"
