"""Back a workspace up, restore it elsewhere, rebuild a lost database: `backup | restore | rebuild`.

Exit code 0: done; 1: the work failed, and nothing was left half done; 2: unusable arguments or file.
"""

from pathlib import Path
from typing import Annotated

import typer

from studio.cli._common import AsJson, Home, print_json, report_errors
from studio.language import say
from studio.workspace import current_settings, open_workspace

app = typer.Typer()

_LISTED = 5


class _Meter:
    """Show the share that is done on one line of stderr, once for each percent."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self.last = -1

    def __call__(self, done: int, total: int) -> None:
        percent = 100 * done // max(total, 1)
        if percent != self.last and not self.quiet:
            typer.echo(f"\r{percent:3} %", nl=False, err=True)
        self.last = percent

    def end(self) -> None:
        if self.last >= 0 and not self.quiet:
            typer.echo("\r" + " " * 6 + "\r", nl=False, err=True)


@app.command()
def backup(
    out: Annotated[Path, typer.Argument(help="File to write (.tar), or a folder to write one in.")],
    with_models: Annotated[
        bool, typer.Option("--with-models", help="With the base models in models/; they are large.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Back the workspace up into one file, while people go on working."""
    from studio.operations.backup import write_backup

    with report_errors():
        meter = _Meter(quiet=as_json)
        made = write_backup(open_workspace(home), out, with_models=with_models, on_bytes=meter)
        meter.end()
        if as_json:
            print_json(made.to_json())
            return
        typer.echo(
            say(
                f"已备份到 {made.path}：{len(made.manifest.files)} 个文件，{made.size / 2**20:.1f} MiB。",
                f"Backed up to {made.path}: {len(made.manifest.files)} files, {made.size / 2**20:.1f} MiB.",
            )
        )
        if left_out := made.manifest.left_out:
            names = ", ".join(left_out[:_LISTED]) + (" …" if len(left_out) > _LISTED else "")
            typer.echo(say(f"没有包含：{names}", f"Not included: {names}"))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `news-studio backup` wrote.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into an empty workspace: all of it, or nothing."""
    from studio.operations.restore import restore as restore_backup

    with report_errors():
        target = home or current_settings().home
        meter = _Meter(quiet=as_json)
        manifest = restore_backup(file, target, on_bytes=meter)
        meter.end()
        if as_json:
            document = {"home": str(target), "files": len(manifest.files), "made_at": manifest.made_at}
            print_json({**document, "left_out": manifest.left_out})
            return
        typer.echo(
            say(
                f"已恢复到 {target}：{manifest.made_at} 的备份，{len(manifest.files)} 个文件。",
                f"Restored to {target}: the backup of {manifest.made_at}, {len(manifest.files)} files.",
            )
        )


@app.command()
def rebuild(home: Home = None, as_json: AsJson = False) -> None:
    """Rebuild a lost database from the frozen versions and the run folders."""
    from studio.operations.rebuild import rebuild as rebuild_database

    with report_errors():
        found = rebuild_database(open_workspace(home))
        if as_json:
            print_json(found.to_json())
            return
        typer.echo(
            say(
                f"重建了 {found.titles} 条标题、{len(found.versions)} 个版本；运行 {found.runs} 次都在。"
                "从未冻结过的标题、逐人的标注和角色无法重建。",
                f"Rebuilt {found.titles} titles and {len(found.versions)} versions; {found.runs} runs are "
                "there. Titles that were never frozen, who annotated what, and roles cannot be rebuilt.",
            )
        )
        for name, why in found.left_out.items():
            typer.echo(f"  {name}: {why}", err=True)
