"""Export a model for another runtime, proven there: `export`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from studio import runs
from studio.cli._common import AsJson, Home, print_json, report_errors, workspace_at
from studio.cli._status import StatusLine
from studio.contract import ExportReport, Proof
from studio.jobs import queue as jobs
from studio.language import say
from studio.operations.exports import export_spec, read_report
from studio.operations.waiting import wait_or_cancel

app = typer.Typer()

Format = Literal["adapter", "safetensors", "gguf", "ollama"]
Quant = Literal["f32", "f16", "bf16", "q8_0", "q5_0", "q4_0"]

CAUSES = {
    "no_runtime": (
        "这台机器上没有 llama.cpp（pip install xllamacpp），没有核对",
        "there is no llama.cpp on this machine (pip install xllamacpp), so it was not tried",
    ),
    "no_titles": ("没有可以核对的标题", "there was no title to try"),
    "template": (
        "文件里的对话模板写出的提示与训练时不同",
        "the chat template in the files writes another prompt than the trained one",
    ),
    "end_token": (
        "回答没有在该结束的地方结束：结束标记不对",
        "answers do not end where they should: the end token is wrong",
    ),
    "weights": (
        "回答与检查点差得太多：权重没有原样写出，或压缩得太狠",
        "answers differ too much from the checkpoint's: the weights are not those, or have too few bits",
    ),
}
"""Why an export is not proven, in both languages."""


@app.command()
def export(
    target: Annotated[
        str,
        typer.Argument(metavar="RUN|RELEASE|MODEL", help="Id of a training run, a release, or a base model."),
    ],
    out: Annotated[Path, typer.Argument(help="A new folder for the files.")],
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            help="adapter; safetensors: merged, for vLLM and SGLang; gguf: for llama.cpp; ollama.",
        ),
    ] = "safetensors",
    quant: Annotated[
        Quant | None, typer.Option(help="Type of the weights; without it bf16 for safetensors, f16 else.")
    ] = None,
    shard_gb: Annotated[float, typer.Option(min=0.001, help="Largest safetensors file in gigabytes.")] = 4.0,
    titles: Annotated[int, typer.Option(min=0, help="Titles to try it with in its own runtime.")] = 100,
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
            quant=quant or ("bf16" if format_ == "safetensors" else "f16"),
            max_shard_gb=shard_gb,
            proof_titles=titles,
            name=name,
        )
        job = runs.prepare_job(workspace, spec)
        jobs.submit(workspace, job)
        job = wait_or_cancel(workspace, job, StatusLine(quiet=as_json))
        runs.require_done(job)
        report = read_report(job)
        if as_json:
            print_json({"job": job.id, "folder": str(spec.target), **report.model_dump(mode="json")})
        else:
            _echo(spec.target, report)
        if not report.proof.proven and report.proof.cause in ("template", "end_token", "weights"):
            raise typer.Exit(1)


def _echo(folder: Path, report: ExportReport) -> None:
    for file, size in report.files.items():
        typer.echo(f"{folder / file}  {size / 1e6:,.1f} MB")
    typer.echo(proof_line(report.proof))
    if report.repetition_penalty != 1.0:
        typer.echo(
            say(
                f"这个模型思考时需要重复惩罚 {report.repetition_penalty:g}；别的环境用法不同或没有它，"
                "思维链可能重复。",
                f"This model needs a repetition penalty of {report.repetition_penalty:g} in its thought; "
                "other runtimes apply it differently or not at all, and chains may then repeat themselves.",
            )
        )


def proof_line(proof: Proof) -> str:
    """Say in one line how the export answers in its own runtime."""
    if not proof.runtime or not proof.titles:
        return say("未核对：", "Not proven: ") + say(*CAUSES[proof.cause or "no_titles"])
    counts = say(
        f"{proof.runtime}：类别相同 {proof.same_category} / {proof.titles}，思维链相同 "
        f"{proof.same_text} / {proof.texts}，答对 {proof.right_before} → "
        f"{proof.right_before - proof.lost + proof.gained}",
        f"{proof.runtime}: same category {proof.same_category} of {proof.titles}, same chain "
        f"{proof.same_text} of {proof.texts}, right {proof.right_before} → "
        f"{proof.right_before - proof.lost + proof.gained}",
    )
    if proof.proven:
        return say(f"已核对。{counts}", f"Proven. {counts}")
    cause = say(*CAUSES[proof.cause or "weights"])
    return say(f"没有通过核对：{cause}。{counts}", f"Not proven: {cause}. {counts}")
