"""The label settings on the Team page, each with what it is for, and what the model beside the annotators does.

Every field of `studio.label_settings.LabelSettings` has a widget here; its English help is the
field's own description.
"""

from typing import Any

import streamlit as st
from pydantic import ValidationError

from pages.shared import shell
from studio import people, runs, workers
from studio.label_settings import LabelSettings, load_settings
from studio.language import say
from studio.ordering import change_settings
from studio.people import Person
from studio.store import Store
from studio.suggesting import FEWEST
from studio.suggesting_store import Standing, acceptance, is_wanted, lock_path, standing

Named = dict[str, tuple[str, str, str]]
"""Per field: its name in Chinese and English, and its help in Chinese."""

QUEUE: Named = {
    "order": (
        "顺序",
        "Order",
        "导入顺序：照文件来。随机：没有规律。主动：先标最能教会模型的；标满二十条之前按随机。",
    ),
    "uncertain_share": (
        "主动：不确定的",
        "Active: uncertain",
        "模型最拿不准的标题占多少。它们最能教会模型，所以占得多；但彼此相像，所以不占全部。",
    ),
    "diverse_share": (
        "主动：多样的",
        "Active: diverse",
        "与已标标题最不像的占多少，用来找到模型不知道自己不懂的题。余下的随机抽，让已标的一部分始终是公平的样本。",
    ),
    "suggestions": ("显示建议", "Show suggestions", "显示模型会怎么答。关掉后谁也不受它影响。"),
    "suggestion_model": (
        "建议来自",
        "Suggestions from",
        "本机小模型：用大家刚标的题训练，几秒更新一次；或选一个微调过的运行，用它的概率。",
    ),
}
TEAM: Named = {
    "overlap_share": ("多人标注的比例", "Labelled by several", "这么多标题由几个人各自标注，互不可见。"),
    "overlap_people": ("每条几个人", "People a title", "这样的标题由几个人标注。"),
    "lease_minutes": ("占用分钟数", "Minutes kept", "一条标题在谁的屏幕上，这段时间里不给别人。"),
    "skip_limit": ("跳过上限", "Skips", "被这么多人跳过之后，标题放到一边。"),
    "gold_share": ("金标比例", "Gold share", "把这么多已有定论的金标标题混在别的标题里。"),
    "review_rate": ("抽审比例", "Review rate", "已定的标题里，随机抽这么多给审核员看。"),
}
PACE: Named = {
    "idle_seconds": (
        "停顿上限（秒）",
        "Longest pause (s)",
        "按键前停得更久，也只算这么久：没有人想一条标题想那么久。",
    ),
    "target_per_category": ("每类目标", "Target per category", "每个类别应有多少条已定的标题。"),
}
SECTIONS: tuple[tuple[str, str, Named], ...] = (
    ("顺序与建议", "Order and suggestions", QUEUE),
    ("几个人一起", "Several people", TEAM),
    ("节奏与目标", "Pace and target", PACE),
)
ORDERS = {
    "import": ("导入顺序", "as imported"),
    "random": ("随机", "random"),
    "active": ("主动学习", "active"),
}
SHARES = {"uncertain_share", "diverse_share", "overlap_share", "gold_share", "review_rate"}


def settings_section(db: Store, viewer: Person) -> None:
    """What an admin sets; others read it. Below, what the model beside the annotators is doing."""
    settings = load_settings(db)
    is_admin = viewer.role == "admin" and viewer.is_active
    if not is_admin:
        st.caption(say("只有管理员能改设置。", "Only an admin changes the settings."))
    with st.form("label-settings", border=False):
        values: dict[str, Any] = {}
        for column, (zh, en, fields) in zip(st.columns(3, gap="large"), SECTIONS, strict=True):
            with column:
                st.subheader(say(zh, en), anchor=False)
                for name in fields:
                    values[name] = _widget(name, fields[name], settings, disabled=not is_admin)
        pressed = st.form_submit_button(
            say("保存设置", "Save the settings"), key="save-settings", type="primary", disabled=not is_admin
        )
    if pressed:
        _save(db, values)
    _model_section(db, load_settings(db))


def _widget(name: str, texts: tuple[str, str, str], settings: LabelSettings, *, disabled: bool) -> Any:
    """One setting; shares are shown in percent."""
    field = LabelSettings.model_fields[name]
    value = getattr(settings, name)
    asked: dict[str, Any] = {
        "label": say(*texts[:2]),
        "key": f"setting-{name}",
        "help": say(texts[2], field.description or ""),
        "disabled": disabled,
    }
    if name == "order":
        options = list(ORDERS)
        return st.selectbox(
            options=options, index=options.index(value), format_func=lambda each: say(*ORDERS[each]), **asked
        )
    if name == "suggestion_model":
        return _model_choice(value, asked)
    if isinstance(value, bool):
        return st.toggle(value=value, **asked)
    low, high = _bounds(field.metadata)
    if name in SHARES:
        return (
            st.number_input(
                value=round(100 * value),
                min_value=0,
                max_value=round(100 * (high or 1)),
                step=5,
                **{
                    **asked,
                    "label": f"{asked['label']}（%）" if say("zh", "en") == "zh" else f"{asked['label']} (%)",
                },
            )
            / 100
        )
    kind = type(value)
    return st.number_input(
        value=value,
        min_value=None if low is None else kind(low),
        max_value=None if high is None else kind(high),
        step=kind(1),
        **asked,
    )


def _bounds(metadata: list[Any]) -> tuple[float | None, float | None]:
    """The smallest and the largest value that a field allows; one above a bound that is excluded."""
    low = next((each.ge for each in metadata if hasattr(each, "ge")), None)
    if low is None:
        low = next((each.gt + 1 for each in metadata if hasattr(each, "gt")), None)
    return low, next((each.le for each in metadata if hasattr(each, "le")), None)


def _model_choice(value: str, asked: dict[str, Any]) -> str:
    names = {"tfidf": say("本机小模型（TF-IDF）", "the small model (TF-IDF)")}
    for run in runs.list_runs(shell.workspace()):
        if run.spec.kind == "train" and run.result and run.result.checkpoint:
            names[run.id] = say("微调：", "tuned: ") + shell.run_option(run)
    names.setdefault(value, value)
    options = list(names)
    return str(
        st.selectbox(
            options=options, index=options.index(value), format_func=lambda each: names[each], **asked
        )
    )


def _save(db: Store, values: dict[str, Any]) -> None:
    with shell.report_errors():
        author = shell.annotator()
        people.require(db, author, "admin")
        try:
            settings = LabelSettings.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = next(
                (
                    say(*each[first["loc"][0]][:2])
                    for *_, each in SECTIONS
                    if first["loc"] and first["loc"][0] in each
                ),
                "",
            )
            st.error(f"{where} {first['msg'].removeprefix('Value error, ')}".strip(), icon=":material/error:")
            return
        with st.spinner(say("正在保存，并重新排队…", "Saving, and arranging the queue…")):
            change_settings(db, settings, author=author)
        st.success(
            say("已保存，从下一条起生效。", "Saved; counts from the next title on."), icon=":material/check:"
        )


def _model_section(db: Store, settings: LabelSettings) -> None:
    """How the model beside the annotators stands, and how often people agreed with what was shown."""
    st.subheader(say("建议做得怎样", "How the suggestions do"), anchor=False)
    told, is_up = standing(shell.workspace()), workers.is_locked(lock_path(shell.workspace()))
    st.caption(_standing_line(settings, told, is_up=is_up))
    if told and told.problem:
        st.warning(shell.plain(told.problem), icon=":material/warning:")
    found = acceptance(db)
    if not found:
        st.caption(say("还没有显示过建议。", "No suggestion has been shown yet."))
        return
    st.dataframe(
        [
            {
                say("来源", "from"): source_name(each.source),
                say("显示", "shown"): each.shown,
                say("接受", "accepted"): each.accepted,
                say("接受率", "acceptance rate"): f"{each.rate:.1%}",
            }
            for each in found
        ],
        hide_index=True,
        height="content",
        alt=say("建议的接受率", "How often suggestions were accepted"),
    )


def source_name(source: str) -> str:
    """Who made a suggestion, in words."""
    known = {
        "tfidf": say("本机小模型（TF-IDF）", "the small model (TF-IDF)"),
        "import": say("导入时的提议", "proposals of an import"),
    }
    return known.get(source, source)


def _standing_line(settings: LabelSettings, told: Standing | None, *, is_up: bool) -> str:
    if not is_wanted(settings):
        return say(
            "建议已关闭，顺序不靠模型：没有模型在跑。",
            "Suggestions are off and the order needs no model: none runs.",
        )
    if told is None or not told.labelled:
        return say(
            f"有 {FEWEST} 条、至少两类已定的标题之后，有人标注时就开始训练。",
            f"Training starts while people label, once {FEWEST} titles of two categories are decided.",
        )
    when = shell.local_time(told.at.isoformat())
    line = say(
        f"上次训练 {when}：{told.labelled} 条，用时 {told.seconds:.1f} 秒，给出 {told.suggested} 条建议",
        f"Last trained {when} on {told.labelled} titles in {told.seconds:.1f} s; {told.suggested} suggestions",
    )
    if told.placed:
        line += say(f"，排好接下来 {told.placed} 条", f", {told.placed} titles placed")
    rests = say("；没有人标注时停下。", "; it rests while nobody labels.")
    return line + (say("；正在运行。", "; running.") if is_up else rests)
