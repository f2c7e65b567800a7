"""Compare runs on the same titles: `compare`.

Exit code 0: compared; 1: their rows differ; 2: there is no such run.
"""

from typing import Annotated, Any

import typer

from studio.cli._common import AsJson, Home, print_json, report_errors, workspace_at
from studio.contract import AnswerMode
from studio.errors import InputError, NotComparable
from studio.evaluation import verdicts
from studio.evaluation.compared import Compared, compare_entries
from studio.evaluation.comparison import Comparison
from studio.evaluation.entries import MODES, find_entries
from studio.language import say
from studio.workspace import Workspace

app = typer.Typer()

Refs = Annotated[
    list[str],
    typer.Argument(
        metavar="A B [C ...]",
        help="Runs or evaluations by id or name, 2 to 6; R:direct for one way of answering, R1+R2 for seeds"
        " of one training. The first is compared with each other one.",
    ),
]
Answer = Annotated[
    AnswerMode | None, typer.Option(help="Way of answering (default: one that all have, chain first).")
]
Common = Annotated[bool, typer.Option("--common", help="Where the rows differ, compare those that all have.")]


@app.command()
def compare(
    refs: Refs, answer: Answer = None, common: Common = False, home: Home = None, as_json: AsJson = False
) -> None:
    """Compare runs title by title: fixed, broken, difference with interval, p-value, verdict."""
    with report_errors():
        workspace = workspace_at(home)
        try:
            found = compare_entries(find_entries(workspace, refs, answer), common=common)
        except NotComparable as error:
            if as_json:
                print_json({"verdict": "not_comparable", "problem": error.problem, "common": error.common})
            raise
        if as_json:
            print_json(comparison_document(found) | _other_answer(workspace, refs, answer, common, found))
            return
        for comparison in found.comparisons:
            _print(comparison)


def comparison_document(found: Compared) -> dict[str, Any]:
    """Build the document of `compare --json`: the first comparison, and of several each in `comparisons`."""
    documents = [
        comparison.to_json()
        | {
            "fixed_titles": _titles(found, comparison.fixed_rows.tolist(), side),
            "broken_titles": _titles(found, comparison.broken_rows.tolist(), side),
        }
        for side, comparison in enumerate(found.comparisons, start=1)
    ]
    return documents[0] | ({"comparisons": documents} if len(documents) > 1 else {})


def _titles(found: Compared, rows: list[int], side: int) -> list[dict[str, Any]]:
    aligned, a, b = found.aligned, found.sides[0].answers, found.sides[side].answers
    names = (*aligned.categories, None)
    return [
        {
            "title": aligned.titles[row],
            "label": aligned.categories[aligned.label[row]],
            "a": names[a[row]],
            "b": names[b[row]],
        }
        for row in rows
    ]


def _other_answer(
    workspace: Workspace, refs: list[str], answer: AnswerMode | None, common: bool, found: Compared
) -> dict[str, Any]:
    """Add the comparison by the other way of answering, where nobody chose one and all have both."""
    if answer is not None or any(ref.rpartition(":")[2] in MODES for ref in refs):
        return {}
    try:
        both = [find_entries(workspace, refs, mode) for mode in MODES]
    except InputError:
        return {}
    document = comparison_document(compare_entries(both[1], common=common))
    return {"answer": MODES[0], "other_answers": {MODES[1]: document}}


def _print(comparison: Comparison) -> None:
    low, high = comparison.interval
    typer.echo(comparison.verdict.sentence)
    for code in comparison.verdict.notes:
        typer.echo(f"  {verdicts.note(code)}")
    for side in (comparison.a, comparison.b):
        deviation = "" if side.seeds.sd is None else f" ± {side.seeds.sd:.1%}"
        typer.echo(f"  {side.accuracy:.1%}{deviation}  macro F1 {side.macro_f1:.1%}  {side.name}")
    change, reach = f"{comparison.difference * 100:+.1f}", f"{low * 100:+.1f} … {high * 100:+.1f}"
    typer.echo(
        say(
            f"  修好 {comparison.fixed} 条，弄错 {comparison.broken} 条；差 {change} 点"
            f"（95% 区间 {reach}），p = {comparison.p_value:.3g}",
            f"  fixed {comparison.fixed}, broken {comparison.broken}; difference {change} points "
            f"(95 % interval {reach}), p = {comparison.p_value:.3g}",
        )
    )
    typer.echo(
        say(
            f"  这 {comparison.n} 条标题（{comparison.groups} 件新闻）通常看不出小于 "
            f"{comparison.visible * 100:.0f} 点的差别。",
            f"  With these {comparison.n} titles ({comparison.groups} stories) a difference under "
            f"{comparison.visible * 100:.0f} points will usually not be visible.",
        )
    )
    for each in comparison.per_category:
        mark = "*" if each.is_significant else " "
        recall = (each.recall_b - each.recall_a) * 100
        typer.echo(f"  {mark} {each.name}  {each.n:>5}  +{each.fixed} -{each.broken}  {recall:+.1f}")
    if any(each.is_significant for each in comparison.per_category):
        typer.echo(
            say("  * 校正后仍显著（Holm）", "  * significant after correction for all categories (Holm)")
        )
