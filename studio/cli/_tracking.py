"""Export runs to experiment trackers: `runs export`."""

from pathlib import Path
from typing import Annotated

import typer

from studio import runs
from studio.cli._common import AsJson, Home, print_json, report_errors, workspace_at
from studio.cli._runs import Ids, given_before, runs_app
from studio.language import say
from studio.operations.tracking.trackers import Tracker, export_runs, how_to_open

GROUP = runs_app
"""The group that the command below is added to."""


@runs_app.command("export")
def export(
    context: typer.Context,
    ids: Ids,
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    to: Annotated[Tracker, typer.Option("--to", help="The tracker that shall open it.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Export runs to TensorBoard or MLflow: curves, settings, scores, tags. Needs the extra of that name."""
    home, as_json = given_before(context, home, as_json)
    with report_errors():
        workspace = workspace_at(home)
        gathered = export_runs([runs.get_run(workspace, run_id) for run_id in ids], to, out)
    if as_json:
        print_json(
            {
                "out": str(out),
                "to": to,
                "runs": [
                    {"id": run.id, "points": len(run.points), "scores": len(run.scores)} for run in gathered
                ],
                "open": how_to_open(to, out),
            }
        )
        return
    typer.echo(say(f"导出了 {len(gathered)} 个运行到 {out}。", f"{len(gathered)} runs exported to {out}."))
    typer.echo(say("打开：", "Open it: ") + how_to_open(to, out))
