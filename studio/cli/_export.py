"""Export a model for another runtime, proven there: `export`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from studio import runs
from studio.cli._common import AsJson, Home, print_json, report_errors, workspace_at
from studio.cli._status import StatusLine
from studio.contract import ExportFormat, ExportQuant, ExportReport
from studio.evaluation.export_proof import fallback_note, penalty_note, proof_line, proof_table
from studio.operations.exports import DEFAULT_QUANTS, export_spec, read_report, submit_export
from studio.operations.waiting import wait_or_cancel

app = typer.Typer()

FORMATS_HELP = (
    "adapter; safetensors: merged, for transformers, vLLM, SGLang; gguf: for llama.cpp; ollama: with a "
    "Modelfile; package: with a server, a client, the card and a smoke test."
)


@app.command()
def export(
    target: Annotated[
        str,
        typer.Argument(metavar="RUN|RELEASE|MODEL", help="Id of a training run, a release, or a base model."),
    ],
    out: Annotated[Path, typer.Argument(help="A new folder for the files.")],
    format_: Annotated[ExportFormat, typer.Option("--format", help=FORMATS_HELP)] = "safetensors",
    quant: Annotated[
        ExportQuant | None,
        typer.Option(
            case_sensitive=False,
            help="Type of the weights; without it bf16 for safetensors, f16 for gguf, q8_0 for a package.",
        ),
    ] = None,
    shard_size: Annotated[str, typer.Option(help="Largest safetensors file, such as 500MB or 4GB.")] = "4GB",
    titles: Annotated[int, typer.Option(min=0, help="Titles to try it with in its own runtime.")] = 100,
    chains: Annotated[
        int, typer.Option(min=0, help="Of these, titles whose think chains are compared.")
    ] = 20,
    name: Annotated[str, typer.Option(help="Name of the model's files.")] = "news-classifier",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write a model for another runtime, and prove it there. Exit code 1 when it answers differently."""
    with report_errors():
        workspace = workspace_at(home)
        spec = export_spec(
            workspace,
            target,
            out,
            format=format_,
            quant=quant or DEFAULT_QUANTS[format_],
            shard_size=shard_size,
            proof_titles=titles,
            proof_chains=chains,
            name=name,
        )
        job = submit_export(workspace, spec)
        job = wait_or_cancel(workspace, job, StatusLine(quiet=as_json))
        runs.require_done(job)
        report = read_report(spec.target)
        if as_json:
            print_json(_document(job.id, spec.target, report))
        else:
            _echo(spec.target, report)
        if not report.proof.proven and report.proof.cause in ("template", "end_token", "weights"):
            raise typer.Exit(1)


def _document(job: str, folder: Path, report: ExportReport) -> dict[str, Any]:
    document = report.model_dump(mode="json")
    proof = {"n": report.proof.titles, **document.pop("proof")}
    return {"job": job, "path": str(folder), "bytes": report.bytes, **document, "proof": proof}


def _echo(folder: Path, report: ExportReport) -> None:
    for file, size in report.files.items():
        typer.echo(f"{folder / file}  {size / 1e6:,.1f} MB")
    typer.echo(proof_line(report.proof))
    for name, before, after in proof_table(report.proof) if report.proof.runtime else ():
        typer.echo(f"  {name}: {before} → {after}" if before else f"  {name}: {after}")
    for note in (penalty_note(report), fallback_note(report)):
        if note:
            typer.echo(note)
