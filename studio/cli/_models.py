"""List, check and download base models: `models`."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from studio import runs
from studio.cli._common import AsJson, Home, print_json, report_errors, workspace_at
from studio.cli._status import StatusLine
from studio.contract import DownloadSpec
from studio.errors import ModelUnusable, RunFailed
from studio.language import say
from studio.modelfiles.folder_check import ModelReport, check_model
from studio.modelfiles.hub_manifest import HashReport, read_record, verify_hashes
from studio.modelfiles.safetensors_headers import ModelProblem
from studio.models import downloads
from studio.models.catalog import ModelEntry, locate_model, scan_models
from studio.models.path_hints import not_found, tidy
from studio.runs import Job
from studio.system.documents import one_line, typed_path
from studio.workspace import Workspace

app = typer.Typer()
models_app = typer.Typer(help="List base models, check one, or download one.", invoke_without_command=True)
app.add_typer(models_app, name="models")


@models_app.callback()
def models(context: typer.Context, home: Home = None, as_json: AsJson = False) -> None:
    """List the base models (the default), check one, or download one."""
    if context.invoked_subcommand is None:
        _list_models(home, as_json)


@models_app.command("list")
def list_(home: Home = None, as_json: AsJson = False) -> None:
    """List the bundled model, those in the workspace, in the hubs' caches and in your own folders."""
    _list_models(home, as_json)


def _list_models(home: Path | None, as_json: bool) -> None:
    with report_errors():
        found = scan_models(workspace_at(home))
        if as_json:
            print_json([{**asdict(model), "path": str(model.path), "ok": model.ok} for model in found])
            return
        for model in found:
            typer.echo(f"{model.name:<36} {model.source:<12} {_size(model):<42} {model.path}")
            _echo_problems(model)
        if not found:
            typer.echo(say("没有模型。", "There is no model."))


@models_app.command()
def check(
    path: Annotated[str, typer.Argument(help="Folder of a base model, or a name that models list shows.")],
    hashes: Annotated[
        bool,
        typer.Option("--hashes", help="Also compare every file with the hub's SHA-256, where it is known."),
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Check that a folder can be loaded as a base model. Exit code 1 when it cannot, 2 when there is none."""
    with report_errors():
        report = _report(path, home)
        compared = verify_hashes(report.path) if hashes and report.path.is_dir() else None
        if compared:
            report = replace(report, problems=(*report.problems, *compared.problems))
        if as_json:
            print_json(report.to_json() | ({"hashes": _hashes(compared)} if compared else {}))
        else:
            typer.echo(_size(report))
            _echo_problems(report)
            _echo_hashes(compared)
        if not report.ok:
            raise typer.Exit(2 if report.problems[0].code == "folder_missing" else 1)


def _report(text: str, home: Path | None) -> ModelReport:
    """Diagnose the folder or name; one that resolves to nothing is a `folder_missing` problem."""
    folder = typed_path(tidy(text))
    try:
        # A path needs no workspace, and looking at one should make none.
        if folder.exists():
            return check_model(folder)
        if text.startswith(("/", "~", ".")):
            raise not_found(one_line(tidy(text)), [])
        return check_model(locate_model(workspace_at(home), text))
    except ModelUnusable as error:
        problem = ModelProblem(code="folder_missing", message=error.problem, remedy=error.remedy)
        return replace(check_model(folder), problems=(problem,))


def _hashes(compared: HashReport) -> dict[str, Any]:
    return {"same": compared.same, "unknown": compared.unknown, "bad": len(compared.problems)}


def _echo_hashes(compared: HashReport | None) -> None:
    if compared is None:
        return
    typer.echo(
        say(
            f"SHA-256 与发布的一致：{len(compared.same)} 个文件；不一致：{len(compared.problems)} 个；"
            f"没有公布的值可比：{len(compared.unknown)} 个。",
            f"SHA-256 as published: {len(compared.same)} files; different: {len(compared.problems)};"
            f" nothing known to compare with: {len(compared.unknown)}.",
        )
    )


@models_app.command()
def download(
    model: Annotated[
        str, typer.Argument(metavar="ID", help="owner/model on ModelScope, or its page's address.")
    ],
    endpoint: Annotated[str | None, typer.Option(help="Address of a mirror of ModelScope.")] = None,
    revision: Annotated[str, typer.Option(help="Branch, tag or commit.")] = "master",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Download a model into the workspace, each file verified. Ctrl-C pauses; the same command resumes."""
    with report_errors():
        workspace = workspace_at(home)
        spec = downloads.download_spec(workspace, model, endpoint=endpoint, revision=revision)
        shown = StatusLine(_progress_text, quiet=as_json)
        job = downloads.wait(workspace, downloads.start(workspace, spec), on_poll=shown.show)
        shown.end()
        _require_done(job, spec)
        document = _downloaded(workspace, job, spec)
        if as_json:
            print_json(document)
            return
        typer.echo(
            say(
                f"已下载并校验 {document['files']} 个文件，{_bytes(document['bytes'])}：{spec.target}",
                f"Downloaded and verified {document['files']} files,"
                f" {_bytes(document['bytes'])}: {spec.target}",
            )
        )


def _require_done(job: Job, spec: DownloadSpec) -> None:
    if job.state in ("paused", "cancelled"):
        raise RunFailed(
            say(f"{spec.model_id} 的下载已暂停。", f"The download of {spec.model_id} is paused."),
            remedy=say(
                "再运行同一个命令就会接着下载；已有的部分都在。",
                "Run the same command again to go on; what was fetched is kept.",
            ),
        )
    runs.require_done(job)


def _downloaded(workspace: Workspace, job: Job, spec: DownloadSpec) -> dict[str, Any]:
    record = read_record(spec.target)
    files = record.files if record else ()
    return {
        "run": job.id,
        "name": str(spec.target.relative_to(workspace.models)),
        "folder": str(spec.target),
        "files": len(files),
        "bytes": sum(file.size for file in files),
        "seconds": job.result.seconds if job.result else None,
        **{key: value for key, value in check_model(spec.target).to_json().items() if key != "path"},
    }


def _progress_text(job: Job) -> str:
    now = downloads.progress(job)
    eta = f"  {now.eta_seconds:.0f} s" if now.eta_seconds else ""
    files = f"  {now.files_done}/{now.files}" if now.files else ""
    return f"{now.phase} {_bytes(now.done)} / {_bytes(now.total)}{files}{eta}"


def _bytes(count: int) -> str:
    return f"{count / 2**30:,.2f} GiB" if count >= 2**30 else f"{count / 2**20:,.1f} MiB"


def _size(model: ModelEntry | ModelReport) -> str:
    if not model.architecture:
        return say("不可用", "unusable")
    parameters = f"{model.parameters / 1e6:,.1f} M, {model.size_bytes / 2**20:,.0f} MiB"
    return f"{model.architecture}, {parameters}, {model.template}"


def _echo_problems(model: ModelEntry | ModelReport) -> None:
    for problem in model.problems:
        typer.echo(f"  {problem.severity} {problem.code}: {problem.message} {problem.remedy}")
