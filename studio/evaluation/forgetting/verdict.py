"""Read the verdict of a run folder, and state it in both languages."""

import logging
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from studio.contract import FORGETTING, ForgettingCode, ForgettingFile, ProbeCount, Result
from studio.language import say
from studio.system.documents import READ_FAULTS, read_whole

log = logging.getLogger(__name__)

KIND_NAMES = {
    "knowledge": ("常识选择题", "general knowledge"),
    "instruction": ("按要求作答", "following instructions"),
    "arithmetic": ("算术", "arithmetic"),
    "refusal": ("该拒与不该拒", "refusals"),
}


def forgetting_verdict(run_folder: Path) -> ForgettingCode | None:
    """Read what the probe of a run's model said; None: it was not probed, or another checkpoint was.

    The answers to the items are not read.
    """
    found = _read(run_folder, _Verdict)
    return found.code if found else None


def read_forgetting(run_folder: Path) -> ForgettingFile | None:
    """Read the probe of the checkpoint that a run ended with; None: there is none that can be read."""
    return _read(run_folder, ForgettingFile)


class _Verdict(BaseModel):
    """What of a probe is its verdict."""

    model_config = ConfigDict(extra="ignore")

    code: ForgettingCode
    checkpoint: str | None


_Document = TypeVar("_Document", _Verdict, ForgettingFile)


def _read(run_folder: Path, document: type[_Document]) -> _Document | None:
    file = run_folder / FORGETTING
    try:
        found = document.model_validate_json(read_whole(file))
        result = Result.model_validate_json(read_whole(run_folder / "result.json"))
    except FileNotFoundError:
        return None
    except READ_FAULTS as error:  # a ValidationError is a ValueError
        log.warning("%s cannot be read: %s", file, error)
        return None
    return found if found.checkpoint == result.checkpoint else None


def kind_name(kind: str) -> str:
    """Name a kind of items in the reader's language; a harness task bears its own name."""
    return say(*KIND_NAMES[kind]) if kind in KIND_NAMES else kind


def verdict_sentence(found: ForgettingFile) -> str:
    """Say in one sentence what the probe shows."""
    red = [kind for kind, each in found.kinds.items() if each.code == "red"]
    parts: dict[str, object] = {
        "n": found.all.n,
        "lost": found.all.lost,
        "gained": found.all.gained,
        "low": f"{-100 * found.all.interval[0]:.0f}",
        "points": f"{-100 * found.all.difference:.0f}",
    }
    if found.code == "red" and red:
        names = say("、".join(KIND_NAMES.get(x, (x,))[0] for x in red), ", ".join(_english(x) for x in red))
        return say(
            "微调后有遗忘：{names}的退步超出偶然；{n} 题里丢了 {lost} 题，新会 {gained} 题。",
            "Something was forgotten: {names} dropped more than chance explains; of {n} items {lost} were "
            "lost and {gained} gained.",
            names=names,
            **parts,
        )
    if found.code == "red":
        return say(
            "微调后有遗忘：总体退步 {points} 个百分点，超出偶然；{n} 题里丢了 {lost} 题，新会 {gained} 题。",
            "Something was forgotten: {points} points over all, more than chance explains; of {n} items "
            "{lost} were lost and {gained} gained.",
            **parts,
        )
    if all(each.code == "blind" for each in found.kinds.values()):
        return say(
            "基础模型本来就不会这些题，查不出忘没忘。",
            "The base itself knows nothing of this; the probe cannot show a loss.",
        )
    if found.code == "unclear":
        return say(
            "看不出有退步，也不能排除：{n} 题里丢了 {lost} 题，新会 {gained} 题，"
            "最多可能退步 {low} 个百分点。",
            "No drop beyond chance, but none is ruled out either: of {n} items {lost} were lost and {gained} "
            "gained; a drop of up to {low} points could still hide.",
            **parts,
        )
    return say(
        "没有发现遗忘：{n} 题里丢了 {lost} 题，新会 {gained} 题；若有退步，不超过 {low} 个百分点。",
        "Nothing was forgotten beyond chance: of {n} items {lost} were lost and {gained} gained; a drop, "
        "if any, is at most {low} points.",
        **parts,
    )


def _english(kind: str) -> str:
    return KIND_NAMES.get(kind, (kind, kind))[1]


def count_verdict(each: ProbeCount) -> str:
    """Say what one kind shows, in a few words."""
    match each.code:
        case "red":
            return say("退步", "dropped")
        case "green":
            return say("没有退步", "no drop")
        case "unclear":
            return say("看不清", "unclear")
        case "blind":
            return say("基础模型不会，测不出", "the base knows nothing of it")


def count_line(each: ProbeCount) -> str:
    """Write the difference with its interval, in points."""
    low, high = each.interval
    return f"{100 * each.difference:+.1f} ({100 * low:+.0f} … {100 * high:+.0f})"
