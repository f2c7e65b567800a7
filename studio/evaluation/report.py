"""Write a report: one self-contained HTML file of an evaluation or a comparison, in either language.

Its numbers are those of the functions that the pages ask, and every text of a title, chain or name is
escaped by the template. It loads nothing from elsewhere.
"""

import shlex
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from studio.contract import UNPARSED, Prediction
from studio.evaluation import verdicts
from studio.evaluation.compared import Compared, compare_entries, load_entries
from studio.evaluation.comparison import Comparison
from studio.evaluation.entries import Entry
from studio.evaluation.power import effective_rows, visible_difference
from studio.evaluation.wear import Wear
from studio.language import Language, current_language, say
from studio.runs import Run
from studio.samples.scheme import Scheme, load_scheme

if TYPE_CHECKING:
    from jinja2 import Template

MOST_TITLES = 200
"""Titles that a list of the report shows."""


class OriginStep(Protocol):
    """A step on the way to a model, in the reader's language, and the command that repeats it."""

    @property
    def name(self) -> str:
        """What the step is called."""

    @property
    def facts(self) -> Sequence[tuple[str, str]]:
        """Names and values, hashes among them."""

    @property
    def command(self) -> str:
        """The command that repeats it; empty: there is none."""


def write_report(
    entries: Sequence[Entry],
    language: Language,
    *,
    common: bool = False,
    wear: Wear | None = None,
    lineage: Callable[[Run], Sequence[OriginStep]] | None = None,
) -> str:
    """Write the report of one entry, or of the first compared with each other one.

    Args:
        entries: one to six of them.
        language: of the report.
        common: as in `compare_entries`.
        wear: how many comparisons these rows have served, where it is known.
        lineage: traces the model behind a run, from its titles to its release.

    Raises:
        InputError, NotComparable: as `compare_entries`.
    """
    before = current_language.set(language)
    try:
        found = load_entries(entries) if len(entries) == 1 else compare_entries(entries, common=common)
        document = _document(found, entries, language, common, wear)
        return _template().render(document | {"lineage": _lineage(entries, lineage)})
    finally:
        current_language.reset(before)


@lru_cache(maxsize=1)
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(Path(__file__).with_name("report.html.jinja").read_text(encoding="utf-8"))


def _document(
    found: Compared, entries: Sequence[Entry], language: Language, common: bool, wear: Wear | None
) -> dict[str, Any]:
    several = len(entries) > 1
    names = " / ".join(found.names)
    return {
        "lang": "zh-CN" if language == "zh" else "en",
        "title": say(f"比较报告：{names}", f"Comparison: {names}")
        if several
        else say(f"评估报告：{names}", f"Evaluation: {names}"),
        "made": say("生成于 ", "Made on ") + f"{datetime.now().astimezone():%Y-%m-%d %H:%M %z}",
        "verdicts": [_verdict(each, wear) for each in found.comparisons] or [_single(found, wear)],
        "tables": [_numbers(found), *_categories(found), *_matrices(found)],
        "lists": _lists(found),
        "origin": _origin(entries, common),
    }


def _verdict(comparison: Comparison, wear: Wear | None) -> dict[str, Any]:
    notes = [str(verdicts.note(code)) for code in comparison.verdict.notes]
    notes.append(_tells(comparison.n, comparison.groups, comparison.visible))
    return {"sentence": str(comparison.verdict.sentence), "notes": notes + _worn(wear)}


def _single(found: Compared, wear: Wear | None) -> dict[str, Any]:
    (scores,), n = found.scores, len(found.aligned)
    low, high = scores.accuracy_interval
    groups = found.groups
    visible = visible_difference(effective_rows(groups), grouped=int(groups.max()) + 1 < n)
    sentence = say(
        f"{n} 条标题答对 {scores.accuracy:.1%}，95% 区间 {low:.1%} 到 {high:.1%}。",
        f"{scores.accuracy:.1%} of {n} titles are right, 95 % interval {low:.1%} to {high:.1%}.",
    )
    return {"sentence": sentence, "notes": [_tells(n, int(groups.max()) + 1, visible), *_worn(wear)]}


def _tells(n: int, groups: int, visible: float) -> str:
    return say(
        f"{n} 条标题（{groups} 件新闻）通常看不出小于 {visible:.0%} 的差别。",
        f"With {n} titles ({groups} stories) a difference under {visible:.0%} will usually not be visible.",
    )


def _worn(wear: Wear | None) -> list[str]:
    if wear is None or not wear.comparisons:
        return []
    return [
        say(
            f"这些标题已用于 {wear.comparisons} 次比较（{wear.evaluations} 个评估）。",
            f"These titles have served {wear.comparisons} comparisons of {wear.evaluations} evaluations.",
        )
    ]


def _table(
    title: str, head: Sequence[str], rows: Sequence[Sequence[Any]], *, lead: str = "", matrix: bool = False
) -> dict[str, Any]:
    cells = [[each if isinstance(each, dict) else _cell(each) for each in row] for row in rows]
    return {"title": title, "head": head, "rows": cells, "lead": lead, "matrix": matrix}


def _cell(text: object, kind: str = "", depth: float = 0) -> dict[str, Any]:
    return {"text": str(text), "kind": kind, "depth": f"{depth:.2f}"}


def _points(interval: tuple[float, float] | None) -> str:
    return "–" if interval is None else f"{interval[0] * 100:+.1f} … {interval[1] * 100:+.1f}"


def _numbers(found: Compared) -> dict[str, Any]:
    head = [
        say("运行", "run"),
        say("准确率", "accuracy"),
        say("95% 区间", "95 % interval"),
        say("宏 F1", "macro F1"),
        say("无法解析", "unparsed"),
        say("种子", "seeds"),
    ]
    rows = []
    for place, scores in enumerate(found.scores):
        low, high = scores.accuracy_interval
        deviation = "" if scores.seeds.sd is None else f" ± {scores.seeds.sd:.1%}"
        row = [
            scores.name,
            f"{scores.accuracy:.1%}{deviation}",
            f"{low:.1%} – {high:.1%}",
            f"{scores.macro_f1:.1%}",
            scores.unparsed,
            scores.seeds.n,
        ]
        if found.comparisons:
            one = found.comparisons[place - 1] if place else None
            row += (
                ["–"] * 5
                if one is None
                else [
                    f"{one.difference * 100:+.1f}",
                    _points(one.interval),
                    one.fixed,
                    one.broken,
                    f"{one.p_value:.3g}",
                ]
            )
        rows.append(row)
    if found.comparisons:
        head += [
            say("差（点）", "difference"),
            say("区间", "interval"),
            say("修好", "fixed"),
            say("弄错", "broken"),
            say("p 值", "p-value"),
        ]
    lead = say(
        "差是百分点，与第一个相比；区间按新闻事件重抽样，检验整件新闻一起翻转。",
        "Differences are points, to the first; intervals resample stories, the test flips whole stories.",
    )
    return _table(say("数字", "Numbers"), head, rows, lead=lead if found.comparisons else "")


def _categories(found: Compared) -> list[dict[str, Any]]:
    scheme = load_scheme()
    tables = []
    for comparison in found.comparisons:
        rows = [
            [
                category_name(each.name, scheme),
                each.n,
                f"{each.recall_a:.1%}",
                f"{each.recall_b:.1%}",
                f"{(each.recall_b - each.recall_a) * 100:+.1f}",
                _points(each.interval),
                each.fixed,
                each.broken,
                f"{each.p_holm:.3f}{' *' if each.is_significant else ''}",
            ]
            for each in comparison.per_category
        ]
        head = [
            say("类别", "category"),
            say("条数", "rows"),
            say("召回率 A", "recall A"),
            say("召回率 B", "recall B"),
            say("差（点）", "difference"),
            say("区间", "interval"),
            say("修好", "fixed"),
            say("弄错", "broken"),
            say("p（Holm）", "p (Holm)"),
        ]
        title = say("逐类：{a} → {b}", "Per category: {a} → {b}", a=comparison.a.name, b=comparison.b.name)
        tables.append(_table(title, head, rows))
    return tables


def _matrices(found: Compared) -> list[dict[str, Any]]:
    """Build the confusion matrix of one run, or the change of it for each comparison."""
    scheme, categories = load_scheme(), found.aligned.categories
    names = [category_name(name, scheme) for name in categories]
    head = ["", *names, say("无法解析", "unparsed")]
    if not found.comparisons:
        counts = np.array(found.scores[0].confusion.counts)
        highest = max(1, int(counts.max()))
        rows = [
            [
                name,
                *(
                    _cell(count or "", "good" if i == j else "bad", 0.8 * (count / highest) ** 0.5)
                    if count
                    else _cell("")
                    for j, count in enumerate(line)
                ),
            ]
            for i, (name, line) in enumerate(zip(names, counts.tolist(), strict=True))
        ]
        lead = say(
            "行是数据集的类别，列是模型的回答。", "Rows: category in the dataset; columns: the answer."
        )
        return [_table(say("混淆矩阵", "Confusion matrix"), head, rows, lead=lead, matrix=True)]
    tables = []
    for side, comparison in enumerate(found.comparisons, start=1):
        came, left = found.cell_changes(side)
        highest = max(1, int((np.array(came) + np.array(left)).max()))
        rows = [
            [
                name,
                *(
                    _change(new, gone, i == j, highest)
                    for j, (new, gone) in enumerate(zip(*lines, strict=True))
                ),
            ]
            for i, (name, lines) in enumerate(zip(names, zip(came, left, strict=True), strict=True))
        ]
        title = say(
            "混淆矩阵的变化：{a} → {b}",
            "Change of the confusion matrix: {a} → {b}",
            a=comparison.a.name,
            b=comparison.b.name,
        )
        lead = say(
            "+ 是新来到这一格的标题，− 是离开的。",
            "+ counts titles that came into a cell, − those that left.",
        )
        tables.append(_table(title, head, rows, lead=lead, matrix=True))
    return tables


def _change(came: int, left: int, right: bool, highest: int) -> dict[str, Any]:
    if not came and not left:
        return _cell("")
    text = " ".join(part for part in (f"+{came}" if came else "", f"−{left}" if left else "") if part)
    return _cell(text, "good" if (came >= left) == right else "bad", 0.8 * ((came + left) / highest) ** 0.5)


def _lists(found: Compared) -> list[dict[str, Any]]:
    if not found.comparisons:
        wrong = np.flatnonzero(found.sides[0].answers != found.aligned.label).tolist()
        return [_list(found, wrong, (0,), say(f"答错的 {len(wrong)} 条", f"{len(wrong)} wrong titles"))]
    lists = []
    for side, each in enumerate(found.comparisons, start=1):
        b = each.b.name
        for rows, title in (
            (each.fixed_rows, say("{b} 修好的 {n} 条", "{n} titles fixed by {b}", b=b, n=each.fixed)),
            (each.broken_rows, say("{b} 弄错的 {n} 条", "{n} titles broken by {b}", b=b, n=each.broken)),
        ):
            lists.append(_list(found, rows.tolist(), (0, side), title))
    return lists


def _list(found: Compared, rows: Sequence[int], sides: Sequence[int], title: str) -> dict[str, Any]:
    scheme, shown = load_scheme(), rows[:MOST_TITLES]
    answers = [found.predictions(side, shown) for side in sides]
    left_out = len(rows) - len(shown)
    return {
        "title": title,
        "head": [say("标题", "title"), say("数据集", "dataset"), *(found.names[side] for side in sides)],
        "left_out": say(f"只列前 {MOST_TITLES} 条。", f"The first {MOST_TITLES} are listed.")
        if left_out
        else "",
        "rows": [
            {
                "title": said[0].title,
                "label": category_name(said[0].label, scheme),
                "said": [_said(each, scheme) for each in said],
            }
            for said in zip(*answers, strict=True)
        ],
    }


def _said(prediction: Prediction, scheme: Scheme) -> dict[str, str]:
    name = prediction.predicted or UNPARSED
    return {"category": category_name(name, scheme), "chain": prediction.chain or prediction.text or ""}


def category_name(name: str, scheme: Scheme) -> str:
    """Translate a category; one that the scheme has no longer is named as it was stored."""
    if name == UNPARSED:
        return say("无法解析", "unparsed")
    return say(name, scheme.category(name).english) if name in scheme.names else name


def _origin(entries: Sequence[Entry], common: bool) -> dict[str, Any]:
    """List what each run was made from, with hashes, and the commands that repeat the numbers."""
    described = [
        {"name": run.label or run.id, "facts": _facts(entry, place)}
        for entry in entries
        for place, run in enumerate(entry.runs)
    ]
    refs = " ".join(shlex.quote(entry.key) for entry in entries)
    command = f"news-studio compare {refs}{' --common' if common else ''} --json"
    return {
        "title": say("来源", "Origin"),
        "runs": described,
        "again": say("再算一遍：", "To compute the same again:"),
        "commands": [command] if len(entries) > 1 else [f"news-studio report {refs} --out report.html"],
    }


def _lineage(
    entries: Sequence[Entry], trace: Callable[[Run], Sequence[OriginStep]] | None
) -> dict[str, Any] | None:
    """Build the steps to each model; None where nobody traces them, or all are bases."""
    found = [] if trace is None else [(run, trace(run)) for entry in entries for run in entry.runs]
    models = {
        tuple(step.facts for step in steps): {"name": run.label or run.id, "steps": steps}
        for run, steps in found
        if steps
    }
    title = say("来历：从标题到发布", "Lineage: from the titles to the release")
    return {"title": title, "models": list(models.values())} if models else None


def _facts(entry: Entry, place: int) -> list[tuple[str, str]]:
    run, scores = entry.runs[place], entry.scores[place]
    spec, result = run.spec, run.result
    facts = [
        (say("编号", "id"), run.id),
        (say("回答方式", "answer"), entry.answer),
        (say("条数", "rows"), scores.n),
        (say("数据集", "dataset"), run.version or spec.dataset_dir),
        (say("模型", "model"), spec.model_name_or_path),
        (say("种子", "seed"), spec.seed),
        (
            "ROUGE-L / BLEU-4",
            None if scores.rouge_l is None else f"{scores.rouge_l:.1f} / {scores.bleu_4:.1f}",
        ),
        ("dataset sha256", result.dataset_sha256 if result else None),
        ("model sha256", result.model_sha256 if result else None),
        (
            say("版本", "versions"),
            ", ".join(f"{k} {v}" for k, v in result.versions.items()) if result else None,
        ),
        (say("建立于", "created"), f"{run.created_at:%Y-%m-%d %H:%M}"),
    ]
    return [(str(name), str(value)) for name, value in facts if value not in (None, "")]
