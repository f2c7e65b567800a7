"""Check titles before a freeze: errors stop it, warnings have to be accepted.

Only those warnings have to be accepted that make training or evaluation wrong as a whole;
a remark on a row is for the Problems tab. Pure: knows titles and problems, no store.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from studio.corpus.titles import Title
from studio.datasets.sealing import Sealing
from studio.datasets.splits import Division
from studio.errors import FreezeRefused, InputError, NothingToFreeze
from studio.language import say
from studio.samples.problems import Problem
from studio.samples.scheme import Scheme
from studio.samples.title_text import Split

LISTED = 10
"""Titles that a reason names."""

_DIGITS = re.compile(r"\d+")


def require_no_errors(problems: Iterable[Problem], titles: Sequence[Title]) -> None:
    """Refuse to freeze rows that a trainer would drop or crash on.

    Raises:
        FreezeRefused: with every error in a line.
    """
    texts = {title.id: title.text for title in titles}
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        lines = (f"{texts.get(error.title_id or 0, '')}  {error.code}  {error.message}" for error in errors)
        raise FreezeRefused(
            say(
                f"已定的标题里有 {len(errors)} 个错误，不能冻结。",
                f"The decided titles have {len(errors)} errors and cannot be frozen.",
            ),
            remedy=say(
                "请先在“错标与缺口”页的“思维链与格式”里改好。",
                "Fix them first: Errors and gaps page, Chains and format.",
            ),
            reasons=tuple(lines),
            can_accept=False,
        )


def warnings_to_accept(titles: Sequence[Title], division: Division) -> list[str]:
    """List the warnings that a person must accept before freezing, a line each; usually none."""
    by_id = {title.id: title for title in titles}
    reasons = [_contradictory(by_id, division), _divided(by_id, division)]
    reasons += [_returned(division), _unknown(division)]
    return [reason for reason in reasons if reason]


def require_accepted(reasons: Sequence[str], accepted: bool) -> None:
    """Require that all warnings were accepted; asks once for everything.

    Raises:
        FreezeRefused: there are warnings, and they were not accepted.
    """
    if reasons and not accepted:
        raise FreezeRefused(
            say(f"冻结前有 {len(reasons)} 个警告要确认。", f"{len(reasons)} warnings before freezing."),
            remedy=say(
                "改好后再冻结；或确认忽略警告（页面上的按钮，或 --accept-warnings）。",
                "Fix them, or freeze despite the warnings (the button on the page, or --accept-warnings).",
            ),
            reasons=tuple(reasons),
            can_accept=True,
        )


def contradictory_near_groups(
    titles: Mapping[int, Title], near_groups: Iterable[Sequence[int]]
) -> list[tuple[int, ...]]:
    """Find contradictory labels: near copies with the same numbers in them but different categories."""
    found = []
    for near_group in near_groups:
        by_digits: dict[tuple[str, ...], list[int]] = {}
        for title_id in near_group:
            # 第 3 轮 and 第 4 轮 are two pieces of news, whatever else they share.
            by_digits.setdefault(tuple(_DIGITS.findall(titles[title_id].text)), []).append(title_id)
        found += [
            tuple(ids)
            for ids in by_digits.values()
            if len({titles[title_id].category for title_id in ids}) > 1
        ]
    return found


def _contradictory(titles: Mapping[int, Title], division: Division) -> str | None:
    found = contradictory_near_groups(titles, division.near_groups)
    if not found:
        return None
    shown = _quote(titles, [title_id for near_group in found for title_id in near_group], with_category=True)
    return say(
        f"{len(found)} 组几乎相同的标题类别不同：{shown}",
        f"{len(found)} groups of near duplicates have different categories: {shown}",
    )


def _divided(titles: Mapping[int, Title], division: Division) -> str | None:
    same = [
        near_group
        for near_group in division.divided
        if len({tuple(_DIGITS.findall(titles[title_id].text)) for title_id in near_group}) < len(near_group)
    ]
    if not same:
        return None
    shown = _quote(titles, [title_id for near_group in same for title_id in near_group])
    return say(
        f"{len(same)} 组几乎相同的标题分在训练和评估两边，分数会虚高：{shown}",
        f"{len(same)} groups of near duplicates are in both splits, so scores will be inflated: {shown}",
    )


def _returned(division: Division) -> str | None:
    if not division.returned:
        return None
    count = len(division.returned)
    return say(
        f"重新划分把 {count} 条曾用于评估的标题放进了训练集，与以前的分数不可比。",
        f"Resplitting trains on {count} titles that were evaluated before;"
        " earlier scores are not comparable.",
    )


def _unknown(division: Division) -> str | None:
    if not division.unknown:
        return None
    shown = "; ".join(division.unknown[:LISTED])
    return say(
        f"评估名单里有 {len(division.unknown)} 条不在已定的标题中：{shown}",
        f"{len(division.unknown)} titles of the list are not among the decided ones: {shown}",
    )


def _quote(titles: Mapping[int, Title], ids: Sequence[int], *, with_category: bool = False) -> str:
    shown = [
        f"“{titles[title_id].text}”" + (f" ({titles[title_id].category})" if with_category else "")
        for title_id in ids[:LISTED]
    ]
    return "; ".join(shown) + (" …" if len(ids) > LISTED else "")


def notes_on(problems: Iterable[Problem], division: Division) -> tuple[str, ...]:
    """Write the notes on a version: what a person should know but need not accept, in sentences."""
    notes = []
    contradicting = sum(problem.code == "chain_contradicts" for problem in problems)
    if contradicting:
        notes.append(
            say(
                f"{contradicting} 条思维链的结论与类别不符，见“错标与缺口”页的“思维链与格式”。",
                f"{contradicting} think chains argue for another category than their title's; see Chains and "
                "format on the Errors and gaps page.",
            )
        )
    if division.joined:
        notes.append(
            say(
                f"{len(division.joined)} 条与评估标题几乎相同的标题一起进入评估集，没有用来训练。",
                f"{len(division.joined)} near duplicates of evaluation titles were put into the evaluation "
                "set with them.",
            )
        )
    if division.moved:
        notes.append(
            say(
                f"{len(division.moved)} 条以前训练过的标题现在用于评估；用旧版本训练的模型见过它们。",
                f"{len(division.moved)} titles that were trained on earlier are now evaluation titles;"
                " models of earlier versions have seen them.",
            )
        )
    return tuple(notes)


def notes_on_sealing(sealing: Sealing) -> tuple[str, ...]:
    """Write the notes on what was sealed, and on what stayed out because it is sealed."""
    notes = []
    if sealing.sealed:
        notes.append(
            say(
                f"{len(sealing.sealed)} 条标题已封存：不训练、不评估，只在发布前打开。",
                f"{len(sealing.sealed)} titles are sealed: neither trained nor evaluated on, opened only "
                "before a release.",
            )
        )
    if sealing.held_back:
        notes.append(
            say(
                f"{len(sealing.held_back)} 条标题没有收进来：已封存，或与封存的标题几乎相同。",
                f"{len(sealing.held_back)} titles stayed out: sealed earlier, or near copies of such.",
            )
        )
    return tuple(notes)


def require_sealed(sealing: Sealing, share: float | None) -> None:
    """Require that something could be sealed where a share was asked for.

    Raises:
        InputError: every title, or a near copy of it, was trained or evaluated on.
    """
    if share is None or sealing.sealed:
        return
    raise InputError(
        say(
            f"没有可以封存的标题：{sealing.used} 条已被某个版本训练或评估过，或与这样的标题几乎相同。",
            f"There is nothing to seal: {sealing.used} titles were trained or evaluated on by a version, or "
            "are near copies of such.",
        ),
        remedy=say(
            "请先标注新的标题；或第一次冻结时就封存；或用 --resplit 重新划分（以前的模型见过这些标题）。",
            "Label new titles first, seal when freezing for the first time, or split anew with --resplit "
            "(earlier models have seen those titles).",
        ),
    )


def require_arguments(name: str, eval_share: float | None, sealed_share: float | None = None) -> None:
    """Require a usable name and usable shares.

    Raises:
        InputError: names the unusable one and what would be usable.
    """
    if sealed_share is not None and not 0 < sealed_share < 1:
        raise InputError(
            say(f"封存比例 {sealed_share} 不可用。", f"The sealed share {sealed_share} cannot be used."),
            remedy=say("请给一个 0 到 1 之间的数，例如 0.1。", "Give a number between 0 and 1, such as 0.1."),
        )
    if eval_share is not None and not 0 < eval_share < 1:
        raise InputError(
            say(f"评估比例 {eval_share} 不可用。", f"The evaluation share {eval_share} cannot be used."),
            remedy=say("请给一个 0 到 1 之间的数，例如 0.2。", "Give a number between 0 and 1, such as 0.2."),
        )
    if not re.fullmatch(r"\w[\w.-]{0,79}", name):
        raise InputError(
            say(f"“{name}”不能作数据集名称。", f"“{name}” cannot name a dataset."),
            remedy=say(
                "请只用汉字、字母、数字、下划线、点和短横，以字或数字开头，不超过 80 个字。",
                "Use letters, digits, underscores, dots and hyphens, first a letter or digit, at most 80.",
            ),
        )


def require_scheme(titles: Iterable[Title], scheme: Scheme) -> None:
    """Require that every decision is inside the scheme.

    Raises:
        InputError: lists the unknown categories with their counts.
    """
    foreign = Counter(title.category for title in titles if title.category not in scheme.names)
    if foreign:
        listed = ", ".join(f"{category} ({count})" for category, count in foreign.items())
        raise InputError(
            say(
                f"有标题的类别不在类别文件中：{listed}。",
                f"Some decided titles have categories outside the category file: {listed}.",
            ),
            remedy=say(
                "请在标注页改好这些标题，或换用含有这些类别的类别文件。",
                "Relabel those titles, or use a category file that has these categories.",
            ),
        )


def require_rows(splits: Mapping[Split, Sequence[Title]]) -> None:
    """Require at least one row in each split.

    Raises:
        NothingToFreeze: no decided title, or one split is empty.
    """
    total = sum(len(titles) for titles in splits.values())
    if total == 0:
        raise NothingToFreeze(
            say("还没有已确定类别的标题。", "No title has been decided yet."),
            remedy=say(
                "请先在标注页标注，或用 news-studio import 导入带答案的数据。",
                "Label some on the Label page, or import labelled data with news-studio import.",
            ),
        )
    empty = [split for split, titles in splits.items() if not titles]
    if empty:
        name = {"train": say("训练集", "train split"), "eval": say("评估集", "eval split")}[empty[0]]
        raise NothingToFreeze(
            say(
                "已确定的 {total} 个标题中，{name}是空的。",
                "With {total} decided titles the {name} is empty.",
                total=total,
                name=name,
            ),
            remedy=say(
                "请再标注一些标题，或用 --eval-share（0 到 1 之间）调整评估比例。",
                "Label more titles, or change the share with --eval-share (between 0 and 1).",
            ),
        )
