"""List, compare, export and describe frozen versions: `dataset list | diff | export | card`.

Exit code 0: done; 1: the work failed; 2: there is no such version, or the output path exists.
"""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from studio.cli._common import AsJson, Home, print_json, report_errors, workspace_at
from studio.datasets.card import write_card
from studio.datasets.diff import CHANGES, diff_versions
from studio.datasets.export import ExportForm, export_files, write_new
from studio.datasets.versions import Version, find_version, list_versions
from studio.language import say
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.workspace import Workspace

dataset = typer.Typer(help="Frozen dataset versions: list, compare, export, describe.", no_args_is_help=True)
app = typer.Typer()
app.add_typer(dataset, name="dataset")

Ref = Annotated[str, typer.Argument(help="A version: its name (the latest) or name@number.")]


@dataset.command("list")
def list_(home: Home = None, as_json: AsJson = False) -> None:
    """List every frozen version, the newest first."""
    with report_errors():
        workspace = workspace_at(home)
        with closing(open_store(workspace.database)) as db:
            versions = list_versions(db, workspace)
    if as_json:
        print_json([version.to_json() for version in versions])
        return
    if not versions:
        typer.echo(
            say(
                f"{workspace.home} 还没有冻结的版本。用 news-studio freeze NAME 冻结。",
                f"No frozen versions in {workspace.home} yet. Make one with: news-studio freeze NAME",
            )
        )
    for version in versions:
        rows = f"{version.rows['train']:>7} + {version.rows['eval']:<7}"
        typer.echo(f"{version.ref:<20} {rows} {version.created_at[:16]}  {version.author}")


@dataset.command()
def diff(a: Ref, b: Ref, home: Home = None, as_json: AsJson = False) -> None:
    """Compare version A with version B: rows, categories, chains, splits."""
    with report_errors():
        workspace = workspace_at(home)
        with closing(open_store(workspace.database)) as db:
            found = diff_versions(db, find_version(db, workspace, a), find_version(db, workspace, b))
    if as_json:
        print_json(found.to_json())
        return
    typer.echo(found.sentence)
    for category, counts in found.per_category.items():
        parts = "  ".join(f"{change} {counts[change]}" for change in CHANGES if counts.get(change))
        typer.echo(f"  {category}  {parts}")


@dataset.command()
def export(
    ref: Ref,
    out: Annotated[Path, typer.Argument(help="A new folder, or a new file that ends in .zip.")],
    form: Annotated[ExportForm, typer.Option("--form", help="How the rows are written.")] = "sharegpt",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Export a version with its dataset_info.json and dataset card, ready for LLaMA-Factory and others."""
    with report_errors():
        version = _find(workspace_at(home), ref)
        files = export_files(version.files, form, _card(version))
        write_new(out, files, f"{version.name}_v{version.number}")
    if as_json:
        print_json({"ref": version.ref, "form": form, "out": str(out), "files": sorted(files)})
    else:
        typer.echo(say(f"已导出 {version.ref} 到 {out}。", f"Exported {version.ref} to {out}."))


@dataset.command()
def card(ref: Ref, home: Home = None) -> None:
    """Print the dataset card of a version: rows, categories, lengths, near copies, hashes, in Markdown."""
    with report_errors():
        typer.echo(_card(_find(workspace_at(home), ref)), nl=False)


def _find(workspace: Workspace, ref: str) -> Version:
    with closing(open_store(workspace.database)) as db:
        return find_version(db, workspace, ref)


def _card(version: Version) -> str:
    scheme = load_scheme(version.folder / "categories.toml")
    return write_card(version.name, version.files, scheme.names, scheme.prompt)
