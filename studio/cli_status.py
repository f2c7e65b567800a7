"""One line on stderr that tells how far a job is."""

from collections.abc import Callable

import typer

from studio.runs import Job


class StatusLine:
    """Written over while the work goes on.

    Args:
        text_of: what it tells of a job.
        quiet: say nothing, as where the output is JSON.
    """

    def __init__(self, text_of: Callable[[Job], str], *, quiet: bool) -> None:
        self.text_of = text_of
        self.quiet = quiet
        self.last = ""

    def show(self, job: Job) -> None:
        """How far it is now, in the place of what stood there."""
        text = self.text_of(job)
        if not self.quiet and text != self.last:
            typer.echo(f"\r{text:<60}", nl=False, err=True)
            self.last = text

    def end(self) -> None:
        """The next output begins on a line of its own."""
        if self.last:
            typer.echo("", err=True)
