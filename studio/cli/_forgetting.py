"""Probe what fine-tuning made a model forget: `forgetting`.

Exit code 0: nothing was lost beyond chance; 1: something was, or the work failed; 2: unusable arguments.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from studio import runs
from studio.cli._common import AsJson, Home, print_json, report_errors, workspace_at
from studio.cli._status import StatusLine
from studio.contract import ChoiceScoring, ForgettingFile, ProbedItem
from studio.errors import RunFailed
from studio.evaluation.forgetting.probe_jobs import last_probe, start_probe
from studio.evaluation.forgetting.verdict import count_line, count_verdict, kind_name, verdict_sentence
from studio.language import say
from studio.operations.waiting import wait_or_cancel

app = typer.Typer()


@app.command()
def forgetting(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of a training run.")],
    tasks: Annotated[
        Path | None,
        typer.Option(help="Folder of lm-evaluation-harness tasks to run as well (YAML and local data)."),
    ] = None,
    choices: Annotated[
        ChoiceScoring, typer.Option(help="Multiple choice by the likeliest letter, or by a written one.")
    ] = "probability",
    max_new_tokens: Annotated[
        int | None,
        typer.Option(min=8, max=32768, help="Longest answer in tokens (default 256; 1024 to think)."),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Compare base and tuned model on 300 general items: knowledge, instructions, arithmetic, refusals."""
    with report_errors():
        workspace = workspace_at(home)
        probed = runs.get_run(workspace, run)
        job = start_probe(workspace, probed, tasks=tasks, choices=choices, max_new_tokens=max_new_tokens)
        runs.require_done(wait_or_cancel(workspace, job, StatusLine(quiet=as_json)))
        last = last_probe(workspace, probed)
        if last is None or last.found is None:
            raise RunFailed(
                say("检查的结果读不出来。", "The result of the probe cannot be read."),
                remedy=say("请再运行一次。", "Run it again."),
            )
    if as_json:
        print_json({"run": probed.id, "job": job.id, **forgetting_document(last.found)})
    else:
        _print(last.found)
    if last.found.code == "red":
        raise typer.Exit(1)


def forgetting_document(found: ForgettingFile) -> dict[str, Any]:
    """Build the document of `forgetting --json`: the verdict, the counts, and what was lost and gained."""
    return {
        "verdict": found.code,
        "sentence": verdict_sentence(found),
        "all": found.all.model_dump(mode="json"),
        "kinds": {kind: each.model_dump(mode="json") for kind, each in found.kinds.items()},
        "lost": [_item(item) for item in found.items if item.base.right and not item.tuned.right],
        "gained": [_item(item) for item in found.items if item.tuned.right and not item.base.right],
    }


def _item(item: ProbedItem) -> dict[str, str]:
    return {"id": item.id, "kind": item.kind, "base": item.base.text, "tuned": item.tuned.text}


def _print(found: ForgettingFile) -> None:
    typer.echo(verdict_sentence(found))
    for kind, each in found.kinds.items():
        typer.echo(
            f"  {each.base:>4} → {each.tuned:<4} / {each.n:<4} {count_line(each):<18} "
            f"p = {each.p_value:.3g}  {kind_name(kind)}: {count_verdict(each)}"
        )
