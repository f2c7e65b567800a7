"""Draw the memory estimate of a training: devices, parts, the cheapest change, the tutorial's table."""

from typing import cast

import altair as alt
import streamlit as st

from pages.shared.colors import ACCENT, ink
from pages.shared.elements import table
from pages.shared.text import plain
from studio.contract import TrainSpec
from studio.errors import StudioError
from studio.language import say
from studio.training import memory_fit
from studio.training.memory import Estimate
from studio.training.memory_fit import Capacity, Estimator, Fit

BADGES: dict[Fit, tuple[tuple[str, str], str, str]] = {
    "fits": (("放得下", "fits"), ":material/check:", "green"),
    "tight": (("勉强", "tight"), ":material/warning:", "orange"),
    "too_large": (("放不下", "does not fit"), ":material/block:", "red"),
}
PART_NAMES = {
    "weights_gib": ("权重", "weights"),
    "adapter_gib": ("适配器", "adapter"),
    "optimizer_gib": ("优化器状态", "optimizer"),
    "gradients_gib": ("梯度", "gradients"),
    "activations_gib": ("激活值", "activations"),
    "logits_gib": ("输出层", "logits"),
    "overhead_gib": ("其他", "other"),
}


def memory_box(spec: TrainSpec, parameters: int) -> None:
    """Draw one line with a badge per device; the parts and the tutorial's table behind it.

    Args:
        spec: the training that is estimated.
        parameters: of the base model.
    """
    estimate = memory_fit.estimator()
    found = None
    try:
        found = estimate(spec)
    except StudioError as error:
        st.caption(plain(error.problem))
    if found:
        places = memory_fit.places()
        _line(found, places)
        _advice(spec, found, places[0], estimate)
    with st.expander(say("内存构成", "Memory breakdown"), key="memory-parts", icon=":material/memory:"):
        left, right = st.columns(2, gap="medium") if found else (None, st.container())
        if found and left:
            with left:
                st.caption(say("估算的构成（GiB）", "Parts of the estimate in GiB"))
                st.altair_chart(_parts(found), alt=say("内存的构成", "Parts of the memory"), key="memory-bar")
        with right:
            hardware_table(spec, parameters)


def _line(found: Estimate, places: list[Capacity]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            say(
                f"预计峰值内存 **{found.total_gib:.1f} GiB**",
                f"Estimated peak memory **{found.total_gib:.1f} GiB**",
            ),
            width="content",
        )
        for place in places:
            name, icon, color = BADGES[memory_fit.fit(found.total_gib, place)]
            st.badge(
                f"{plain(place.name)} {place.memory_gib:.0f} GiB{say('：', ': ')}{say(*name)}",
                icon=icon,
                color=color,  # type: ignore[arg-type]  # a colour of BADGES
            )


def _advice(spec: TrainSpec, found: Estimate, place: Capacity, estimate: Estimator) -> None:
    """Suggest the cheapest change that would help where it does not fit."""
    if memory_fit.fit(found.total_gib, place) == "fits":
        return
    change = memory_fit.cheapest_change(spec, place.memory_gib, estimate)
    if change is None:
        text = say(
            f"{place.name} 放不下，改设置也不够：请换小一些的模型，或用多张卡。",
            f"It does not fit on {place.name} with any settings: use a smaller model or several GPUs.",
        )
    else:
        text = say(
            f"代价最小的改法：{change.text}，只要 {change.total_gib:.1f} GiB。",
            f"Cheapest change: {change.text}; then it takes {change.total_gib:.1f} GiB.",
        )
    st.warning(plain(text), icon=":material/memory:")


def _parts(found: Estimate) -> alt.LayerChart:
    """Draw one bar per part, each with its size behind it."""
    rows = [
        {"part": say(*name), "gib": getattr(found, field), "text": f"{getattr(found, field):.2f}"}
        for field, name in PART_NAMES.items()
    ]
    data = alt.Data(values=rows)  # type: ignore[no-untyped-call]
    base = alt.Chart(data).encode(
        x=alt.X(
            "gib:Q",
            title=None,
            axis=None,
            scale=alt.Scale(domainMax=1.2 * max(1e-9, *(r["gib"] for r in rows))),
        ),
        y=alt.Y("part:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=120)),
    )
    bars, words = base.mark_bar(color=ACCENT, height=16), base.mark_text(align="left", dx=5, color=ink())
    return cast(alt.LayerChart, alt.layer(bars, words.encode(text="text:N")).properties(height=210))


def hardware_table(spec: TrainSpec, parameters: int) -> None:
    """Draw what LLaMA-Factory's README says a method takes, and what its rule says of this model."""
    st.caption(
        say(
            "教程所用工具（LLaMA-Factory）README 的估算，单位 GB，不考虑批大小、长度和词表，实际往往更高。"
            "x 是以十亿计的参数量。",
            "The estimate in the README of the tutorial's tool (LLaMA-Factory), in GB. It ignores batch "
            "size, length and vocabulary, and is often too low. x: billions of parameters.",
        )
    )
    columns = (say("方法", "method"), say("位数", "bits"), "7B", "14B", "30B", "70B", "x B")
    table(
        [dict(zip(columns, row, strict=True)) for row in memory_fit.HARDWARE_TABLE],
        hide_index=True,
        height="content",
        alt=say("LLaMA-Factory 的硬件表", "LLaMA-Factory's hardware table"),
    )
    rule = memory_fit.tutorial_rule(spec, parameters)
    if rule:
        size = f"{rule.gb:,.0f}" if rule.gb >= 10 else f"{rule.gb:.2g}"
        st.caption(
            say(
                f"按这张表，这次训练需要 {size} GB（{rule.method}，{rule.bits} 位：{rule.per_billion}）。",
                f"By this table, this training takes {size} GB ({rule.method}, {rule.bits} bit: "
                f"{rule.per_billion}).",
            )
        )
