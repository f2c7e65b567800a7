"""Collect, freeze and export preference pairs: `pairs list | freeze | export | versions`.

Exit code 0: done; 1: there is nothing to freeze, or the work failed; 2: there is no such version or run,
or the output path exists.
"""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from studio.cli._common import AsJson, Home, print_json, report_errors, user_name, workspace_at
from studio.datasets.export import write_new
from studio.datasets.pair_versions import PairVersion, find_pair_version, list_pair_versions
from studio.errors import InputError
from studio.language import say
from studio.preferences.export import ExportForm, export_pairs
from studio.preferences.freezing import freeze_pairs
from studio.preferences.pairs import Kind, PreferencePair, kind_name
from studio.preferences.selection import PairFilter, Selection, select
from studio.samples.preferences import too_few
from studio.samples.scheme import load_scheme
from studio.store import open_store

pairs = typer.Typer(
    help="Preference pairs: collect them from decisions, freeze, export.", no_args_is_help=True
)
app = typer.Typer()
app.add_typer(pairs, name="pairs")

Runs = Annotated[
    list[str] | None,
    typer.Option("--runs", help="Also what runs answered differently: an id, given twice or more."),
]
Samples = Annotated[
    list[str] | None,
    typer.Option("--samples", help="Also what a job of `news-studio sample` answered, by its id."),
]
OfKind = Annotated[Kind | None, typer.Option("--kind", help="Of this kind alone.")]
Category = Annotated[str, typer.Option(help="Of this chosen category alone.")]
Rejected = Annotated[str, typer.Option(help="Of this rejected category alone.")]
Limit = Annotated[int, typer.Option(min=0, help="Pairs to print; 0: the counts alone.")]


@pairs.command("list")
def list_(
    kind: OfKind = None,
    category: Category = "",
    rejected: Rejected = "",
    runs: Runs = None,
    samples: Samples = None,
    limit: Limit = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the pairs that decisions have made, with their counts."""
    with report_errors():
        workspace = workspace_at(home)
        with closing(open_store(workspace.database)) as db:
            found = select(db, workspace, run_ids=runs or (), sample_ids=samples or ())
        found = found.filtered(_wanted(kind, category, rejected))
    if as_json:
        print_json({**found.to_json(), "rows": [pair.to_json() for pair in found.pairs]})
        return
    _print_counts(found)
    for pair in found.pairs[:limit]:
        typer.echo(_line(pair))


@pairs.command()
def freeze(
    name: Annotated[str, typer.Argument(help="Name of the pairs; each freeze makes its next version.")],
    kind: OfKind = None,
    category: Category = "",
    rejected: Rejected = "",
    runs: Runs = None,
    samples: Samples = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Freeze the pairs into a version that trainings of stage dpo, kto and orpo learn from."""
    with report_errors():
        workspace = workspace_at(home)
        with closing(open_store(workspace.database)) as db:
            found = select(db, workspace, run_ids=runs or (), sample_ids=samples or ()).filtered(
                _wanted(kind, category, rejected)
            )
            version = freeze_pairs(db, workspace, name, found, author=user_name(), scheme=load_scheme())
    if as_json:
        print_json(version.to_json())
        return
    _print_counts(found)
    typer.echo(say(f"已冻结 {version.ref}：{version.folder}", f"Frozen {version.ref}: {version.folder}"))
    if (reason := too_few([pair.chosen.category for pair in found.pairs])) is not None:
        typer.echo(say(*reason), err=True)


@pairs.command()
def versions(home: Home = None, as_json: AsJson = False) -> None:
    """List the frozen versions of pairs, the newest first."""
    with report_errors():
        found = list_pair_versions(workspace_at(home))
    if as_json:
        print_json([version.to_json() for version in found])
        return
    if not found:
        typer.echo(
            say(
                "还没有冻结的偏好对。用 news-studio pairs freeze NAME 冻结。",
                "No frozen pairs yet. Make a version with: news-studio pairs freeze NAME",
            )
        )
    for version in found:
        typer.echo(f"{version.ref:<20} {version.pairs:>7} {version.created_at[:16]}  {version.author}")


@pairs.command()
def export(
    ref: Annotated[str, typer.Argument(help="A version of pairs: its name (the latest) or name@number.")],
    out: Annotated[Path, typer.Argument(help="A new folder, or a new file that ends in .zip.")],
    form: Annotated[ExportForm, typer.Option("--form", help="How the pairs are written.")] = "trl",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Export a version of pairs for TRL (paired or unpaired) or LLaMA-Factory, with its provenance."""
    with report_errors():
        version = _find(home, ref)
        files = export_pairs(version.files, form)
        write_new(out, files, f"{version.name}_v{version.number}")
    if as_json:
        print_json({"ref": version.ref, "form": form, "out": str(out), "files": sorted(files)})
    else:
        typer.echo(say(f"已导出 {version.ref} 到 {out}。", f"Exported {version.ref} to {out}."))


def _wanted(kind: Kind | None, category: str, rejected: str) -> PairFilter:
    return PairFilter(kinds=frozenset([kind] if kind else []), category=category, rejected=rejected)


def _find(home: Path | None, ref: str) -> PairVersion:
    version = find_pair_version(workspace_at(home), ref)
    if version is None:
        raise InputError(
            say(f"没有偏好对版本“{ref}”。", f"There is no version of pairs “{ref}”."),
            remedy=say(
                "用 news-studio pairs versions 查看，用 news-studio pairs freeze NAME 冻结。",
                "List them: news-studio pairs versions. Make one: news-studio pairs freeze NAME",
            ),
        )
    return version


def _print_counts(found: Selection) -> None:
    typer.echo(say(f"{len(found.pairs)} 个偏好对", f"{len(found.pairs)} preference pairs"))
    for kind, count in found.by_kind.items():
        if count:
            typer.echo(f"  {count:>6}  {kind_name(kind)}")
    typer.echo(
        say(
            f"  没有收：{found.near_duplicates} 个近似重复，{found.evaluated} 个的标题要用来评估",
            f"  left out: {found.near_duplicates} near duplicates, {found.evaluated} about titles that are"
            " evaluated",
        )
    )


def _line(pair: PreferencePair) -> str:
    return f"{pair.chosen.category} > {pair.rejected.category}  {pair.kind:<7} {pair.person:<10} {pair.title}"
