"""Say a gate, its lines and its outcome in the reader's language."""

from collections.abc import Mapping

from studio.evaluation.behaviour import change_name
from studio.evaluation.report import category_name
from studio.gate.gates import Gate
from studio.language import say
from studio.releases.models import GateResult, GateRule, LineCode, LineResult, Outcome, Status, Why
from studio.samples.scheme import load_scheme

STATUS_NAMES: dict[Status, tuple[str, str]] = {
    "green": ("通过", "passed"),
    "red": ("没过", "failed"),
    "not_measured": ("没有测", "not measured"),
}


LINE_NAMES: dict[LineCode, tuple[str, str]] = {
    "not_worse": ("与已发布的比", "against the released"),
    "accuracy": ("准确率", "accuracy"),
    "category": ("每个类别", "every category"),
    "flips": ("行为测试", "behavioural tests"),
    "forgetting": ("遗忘检查", "forgetting"),
    "quotes": ("引用", "quotes"),
    "sealed": ("封存的评估集", "sealed set"),
}


REASONS: Mapping[Why, tuple[str, str]] = {
    "first_release": ("还没有发布过，没有可比的模型。", "Nothing is released yet to compare with."),
    "same_model": ("它就是已发布的模型。", "It is the released model."),
    "no_evaluation": (
        "候选没有在门槛的全部评估标题上评估过。",
        "The candidate was not evaluated on all evaluation titles of the gate.",
    ),
    "released_not_evaluated": (
        "已发布的 {release} 没有在这些标题上评估过：请先评估它（news-studio evaluate released）。",
        "The released {release} was not evaluated on these titles: evaluate it first "
        "(`news-studio evaluate released`).",
    ),
    "category_without_rows": (
        "评估集里没有这些类别：{names}；有标题的类别都达到了。",
        "There are no evaluation titles of {names}; every category that has some is met.",
    ),
    "no_chain_evaluation": (
        "候选没有用思维链方式评估过。",
        "The candidate was not evaluated with think chains.",
    ),
    "no_quotes": ("{n} 条思维链里没有引用。", "None of the {n} think chains quotes anything."),
    "not_tested": (
        "没有做行为测试（“评估”页的“行为测试”）。",
        "No behavioural tests were run (Evaluate page, Behavioural tests).",
    ),
    "no_probe": ("没有做遗忘检查。", "The forgetting probe was not run."),
    "probe_unclear": (
        "没有显出退步，但也排除不了。",
        "The probe shows no loss, and cannot rule one out.",
    ),
    "no_sealed_set": (
        "这个数据集没有封存的评估集（冻结时用“封存比例”）。",
        "The dataset has no sealed set (“Sealed share” when freezing).",
    ),
    "not_opened": (
        "封存的 {set} 没有为这个候选打开过。",
        "The sealed set {set} was not opened for this candidate.",
    ),
    "being_answered": ("正在回答封存的 {set}。", "The sealed set {set} is being answered."),
    "sealed_titles_trained": (
        "封存的标题里有 {trained} 条（含几乎相同的）在它的训练集里：{value}（{n} 条）不能作数。",
        "{trained} of the sealed titles, near copies included, are in its training rows: {value} of {n} "
        "titles does not count.",
    ),
}
"""Why a line came out as it did, where that is no number that was met or missed."""


def line_name(line: LineCode) -> str:
    """Name a line of a gate."""
    return say(*LINE_NAMES[line])


def status_name(status: Status) -> str:
    """Name the status of a line."""
    return say(*STATUS_NAMES[status])


def asked(rule: GateRule, line: LineCode) -> str:
    """Say what a line of a gate asks for."""
    match line:
        case "not_worse" if rule.margin is not None:
            return say(
                "准确率不比已发布的低 {margin} 个百分点以上（同样的标题，逐条比较）",
                "accuracy at most {margin} points below the released model's, title by title",
                margin=f"{rule.margin * 100:g}",
            )
        case "not_worse":
            return say(
                "准确率不比已发布的差（同样的标题，逐条比较）",
                "accuracy not worse than the released model's, title by title",
            )
        case "accuracy":
            return say(
                "准确率的 95% 区间下端至少 {wanted}",
                "accuracy: lower end of the 95 % interval at least {wanted}",
                wanted=_share(rule.accuracy),
            )
        case "category":
            return say(
                "每个类别的召回率至少 {wanted}",
                "recall of every category at least {wanted}",
                wanted=_share(rule.category),
            )
        case "flips":
            return say(
                "任何一项行为测试的翻转率不超过 {wanted}",
                "no behavioural flip rate above {wanted}",
                wanted=_share(rule.flips),
            )
        case "forgetting":
            return say("遗忘检查没有发现退步", "the forgetting probe shows no loss")
        case "quotes":
            return say(
                "思维链引用的词句至少 {wanted} 在标题里",
                "at least {wanted} of the quotes in think chains are in the title",
                wanted=_share(rule.quotes),
            )
        case "sealed":
            return say(
                "封存评估集上准确率的 95% 区间下端至少 {wanted}",
                "accuracy on the sealed set: lower end of the 95 % interval at least {wanted}",
                wanted=_share(rule.sealed),
            )


def found(line: LineResult) -> str:
    """Say how a line came out, with its numbers, or why it was not measured."""
    if line.why in ("met", "missed"):
        return _numbers(line)
    return say(
        *REASONS[line.why],
        release=line.detail.get("release"),
        set=line.detail.get("set"),
        trained=line.detail.get("trained"),
        names=_names(line.detail.get("lacking")),
        value=_share(line.value),
        n=line.n,
    )


def _numbers(line: LineResult) -> str:
    detail = line.detail
    numbers: dict[str, object] = {"value": _share(line.value), "interval": _interval(line), "n": line.n}
    match line.line:
        case "not_worse":
            return say(
                "与 {release} 比 {points} 个百分点（95% 区间 {interval}，p = {p}，{n} 条标题，"
                "修好 {fixed}、弄错 {broken}）",
                "{points} points against {release} (95 % interval {interval}, p = {p}, {n} titles, "
                "{fixed} fixed, {broken} broken)",
                release=detail["release"],
                points=f"{(line.value or 0) * 100:+.1f}",
                interval=_points(line),
                p=f"{_number(detail['p_value']):.3g}",
                n=line.n,
                fixed=detail["fixed"],
                broken=detail["broken"],
            )
        case "accuracy":
            return say(
                "{value}，95% 区间 {interval}，{n} 条",
                "{value}, 95 % interval {interval}, n = {n}",
                **numbers,
            )
        case "category":
            below = detail.get("below")
            weakest = category_name(str(detail["category"]), load_scheme())
            if isinstance(below, list) and len(below) > 1:
                return say(
                    "{count} 个类别没达到：{names}；最低的{weakest} {value}（{interval}，{n} 条）",
                    "{count} categories are below: {names}; the weakest is {weakest}: {value} "
                    "({interval}, n = {n})",
                    count=len(below),
                    names=_names(below),
                    weakest=weakest,
                    **numbers,
                )
            return say(
                "最低的是{weakest}：{value}（{interval}，{n} 条）",
                "the weakest is {weakest}: {value} ({interval}, n = {n})",
                weakest=weakest,
                **numbers,
            )
        case "flips":
            return say(
                "最高的是“{test}”：{value}（{interval}，{n} 条标题）",
                "the highest is “{test}”: {value} ({interval}, {n} titles)",
                test=change_name(str(detail["test"])),
                **numbers,
            )
        case "forgetting":
            return (
                say("没有发现退步。", "No loss was found.")
                if line.status == "green"
                else say("发现退步：见“评估”页。", "A loss was found: see the Evaluate page.")
            )
        case "quotes":
            return say("{value}（{n} 条思维链）", "{value} ({n} think chains)", **numbers)
        case "sealed":
            return say(
                "{value}，95% 区间 {interval}，{n} 条；{openings}",
                "{value}, 95 % interval {interval}, n = {n}; {openings}",
                openings=openings(int(_number(detail["openings"]))),
                **numbers,
            )


def openings(count: int) -> str:
    """Say how often a sealed set was opened: each time it tells a little less."""
    if count == 1:
        return say("第一次打开", "opened once")
    return say(
        "已打开 {count} 次，每多一次就少一分作用",
        "opened {count} times, and worth less each time",
        count=count,
    )


def outcome(result: GateResult) -> str:
    """Say in one sentence how a candidate came out."""
    counts: dict[str, object] = {
        each: sum(line.status == each for line in result.lines) for each in STATUS_NAMES
    }
    sentences: dict[Outcome, tuple[str, str]] = {
        "passed": ("可以发布：{all} 条全部通过。", "Ready to ship: lines passed {all} of {all}."),
        "failed": ("不能发布：{red} 条没过。", "Not ready to ship: lines failed {red} of {all}."),
        "incomplete": (
            "还不能发布：{not_measured} 条没有测。",
            "Not ready to ship yet: lines not measured {not_measured} of {all}.",
        ),
        "late": (
            "各条都过了，但这道门槛是在候选评估之后才存的，不能作数。",
            "Every line passed, but the gate was saved after the candidate's evaluation and does not count.",
        ),
    }
    zh, en = sentences[result.outcome]
    return say(zh, en, all=len(result.lines), **counts)


def remarks(result: GateResult) -> list[str]:
    """List what a reader must know beside the outcome: a late gate, the attempts, the wear of the rows."""
    told = []
    if result.late and result.outcome != "late":
        told.append(
            say("这道门槛是在候选评估之后才存的。", "The gate was saved after the candidate's evaluation.")
        )
    if result.attempt > 1:
        told.append(
            say(
                "这是走到这道门槛前的第 {n} 个候选：试得越多，碰巧过的机会越大。",
                "This is candidate {n} at this gate: the more are tried, the likelier one passes by luck.",
                n=result.attempt,
            )
        )
    if result.wear:
        told.append(
            say(
                "这些评估标题之前已用于 {n} 次比较。",
                "These evaluation titles had served {n} comparisons before.",
                n=result.wear,
            )
        )
    return told


def gate_name(gate: Gate) -> str:
    """Name a gate by its number, dataset, author and day."""
    return say(
        "第 {number} 号 · {dataset} · {author} · {at}",
        "gate {number} · {dataset} · {author} · {at}",
        number=gate.number,
        dataset=gate.rule.dataset,
        author=gate.author,
        at=f"{gate.at.astimezone():%Y-%m-%d %H:%M}",
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _interval(line: LineResult) -> str:
    return "–" if line.interval is None else f"{line.interval[0]:.1%} – {line.interval[1]:.1%}"


def _points(line: LineResult) -> str:
    low, high = line.interval or (0.0, 0.0)
    return f"{low * 100:+.1f} … {high * 100:+.1f}"


def _names(names: object) -> str:
    scheme = load_scheme()
    listed = [str(name) for name in names] if isinstance(names, list) else []
    english = [scheme.category(name).english if name in scheme.names else name for name in listed]
    return say("、".join(listed), ", ".join(english))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
