"""Serve models over the OpenAI protocol: `serve`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from studio import runs
from studio.cli._common import Home, report_errors, workspace_at
from studio.contract import ServedModel
from studio.errors import InputError, UnreadableFile
from studio.language import say
from studio.models.default_model import default_model
from studio.models.targets import resolve_target
from studio.serving.servers import serve_here
from studio.system.network import is_loopback
from studio.workspace import Workspace

KEY_VARIABLE = "NEWS_STUDIO_SERVER_KEY"
"""Holds the API key of a server that is started here, where no file is named."""

app = typer.Typer()


@app.command()
def serve(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|RELEASE|MODEL]",
            help="Run, release or base model; empty: the released one, else the default model.",
        ),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUN|RELEASE|MODEL", help="Another run of the same base, or the base; repeatable."
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the server.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond 127.0.0.1 only with a key.")
    ] = "127.0.0.1",
    api_key_file: Annotated[
        Path | None,
        typer.Option(help=f"File of API keys, one a line; without it {KEY_VARIABLE}, if set."),
    ] = None,
    api_key: Annotated[str | None, typer.Option(hidden=True)] = None,
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="Web origin whose pages may call the server; repeatable.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="Further name that the server answers to; repeatable.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Confidence below which /v1/classify abstains; empty: the run's own; 0: never."
        ),
    ] = None,
    queue: Annotated[int, typer.Option(min=0, max=65536, help="Answers that may wait; more get 429.")] = 256,
    home: Home = None,
) -> None:
    """Serve one or more models over the OpenAI protocol until Ctrl-C."""
    with report_errors():
        if api_key is not None:
            raise InputError(
                say(
                    "命令行上的密钥谁都看得到（ps），没有使用它。",
                    "A key on the command line is seen by everyone on this machine (ps); it was not used.",
                ),
                remedy=say(
                    f"请把它写进文件，用 --api-key-file 指定，或放进环境变量 {KEY_VARIABLE}。"
                    "这一个密钥已经露出过，请换新的。",
                    f"Put it into a file and name that with --api-key-file, or into {KEY_VARIABLE}. "
                    "This one has been shown: choose a new one.",
                ),
            )
        key_env = KEY_VARIABLE if api_key_file is None and os.environ.get(KEY_VARIABLE) else None
        if not is_loopback(host) and api_key_file is None and key_env is None:
            raise _open_to_all(host)
        if api_key_file is not None and not api_key_file.is_file():
            raise UnreadableFile(
                say(f"没有密钥文件 {api_key_file}。", f"There is no key file {api_key_file}."),
                remedy=say("文件里每行一个密钥，只含英文字符。", "It has one key a line, in ASCII."),
            )
        workspace = workspace_at(home)
        if target is None:
            target = default_model(workspace)
            typer.echo(say(f"默认模型：{target}", f"The default model: {target}"), err=True)
        model, adapter, template, run = resolve_target(workspace, target)
        others = _others(workspace, target, model, also or [])
        typer.echo(f"http://{f'[{host}]' if ':' in host else host}:{port}/v1")
        serve_here(
            workspace,
            model=model,
            adapter=adapter,
            template=template,
            name=target,
            calibration_file=runs.calibration_file(workspace, run),
            port=port,
            host=host,
            also=others,
            key_file=api_key_file.resolve() if api_key_file else None,
            key_env=key_env,
            cors_origins=tuple(cors_origin or ()),
            allowed_hosts=tuple(allowed_host or ()),
            threshold=threshold,
            queue_limit=queue,
        )


def _others(workspace: Workspace, target: str, model: Path, names: list[str]) -> tuple[ServedModel, ...]:
    """Resolve the further models of a server, each once.

    Raises:
        InputError: one of them has another base.
    """
    found = []
    for name in dict.fromkeys(names):
        base, adapter, template, run = resolve_target(workspace, name)
        if base.resolve() != model.resolve():
            raise InputError(
                say(
                    f"{name} 的基座是 {base.name}，{target} 的是 {model.name}：一个服务只带一个基座。",
                    f"The base of {name} is {base.name}, that of {target} {model.name}: "
                    "a server has one base.",
                ),
                remedy=say(
                    "请在另一个端口上另起一个服务（--port）。",
                    "Start another server on another port (--port).",
                ),
            )
        if name != target:
            found.append(
                ServedModel(
                    name=name,
                    adapter_name_or_path=adapter,
                    template=template,
                    calibration_file=runs.calibration_file(workspace, run),
                )
            )
    return tuple(found)


def _open_to_all(host: str) -> InputError:
    return InputError(
        say(
            f"{host} 能从别的机器访问：没有 API 密钥时不在上面监听。",
            f"{host} can be reached from other machines: without an API key the server does not "
            "listen there.",
        ),
        remedy=say(
            f"请用 --api-key-file 或环境变量 {KEY_VARIABLE} 给出密钥，或只用 127.0.0.1。",
            f"Name a key by --api-key-file or {KEY_VARIABLE}, or stay on 127.0.0.1.",
        ),
    )
