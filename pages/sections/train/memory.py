"""Whether the training fits, before it starts: parts, devices, the cheapest change, the tutorial's table."""

from typing import cast

import altair as alt
import streamlit as st

from pages.shared import shell
from pages.shared.run_charts import COLORS
from studio.contract import TrainSpec
from studio.errors import StudioError
from studio.language import say
from studio.training import memory_fit as fitting
from studio.training.memory import Estimate
from studio.training.memory_fit import Estimator, Fit, Place

BADGES: dict[Fit, tuple[tuple[str, str], str, str]] = {
    "fits": (("放得下", "fits"), ":material/check:", "green"),
    "tight": (("很紧", "tight"), ":material/warning:", "orange"),
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
    """One line with a badge a device; the parts and the tutorial's table behind it.

    Args:
        parameters: of the base model.
    """
    estimate = fitting.estimator()
    found = None
    try:
        found = estimate(spec)
    except StudioError as error:
        st.caption(shell.plain(error.problem))
    if found:
        places = fitting.places()
        _line(found, places)
        _advice(spec, found, places[0], estimate)
    with st.expander(
        say("内存从哪里来", "What takes the memory"), key="memory-parts", icon=":material/memory:"
    ):
        left, right = st.columns(2, gap="medium") if found else (None, st.container())
        if found and left:
            with left:
                st.caption(say("估计的组成（GiB）", "Parts of the estimate in GiB"))
                st.altair_chart(_parts(found), alt=say("内存的组成", "Parts of the memory"), key="memory-bar")
        with right:
            hardware_table(spec, parameters)


def _line(found: Estimate, places: list[Place]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            say(
                f"预计峰值内存 **{found.total_gib:.1f} GiB**",
                f"Estimated peak memory **{found.total_gib:.1f} GiB**",
            ),
            width="content",
        )
        for place in places:
            name, icon, color = BADGES[fitting.fit(found.total_gib, place)]
            st.badge(
                f"{shell.plain(place.name)} {place.memory_gib:.0f} GiB{say('：', ': ')}{say(*name)}",
                icon=icon,
                color=color,  # type: ignore[arg-type]  # a colour of BADGES
            )


def _advice(spec: TrainSpec, found: Estimate, place: Place, estimate: Estimator) -> None:
    """Where it does not fit: the cheapest change that would help."""
    if fitting.fit(found.total_gib, place) == "fits":
        return
    change = fitting.cheapest_change(spec, place.memory_gib, estimate)
    if change is None:
        text = say(
            f"{place.name} 放不下，改设置也不够：换小一些的模型，或用多张卡。",
            f"It does not fit into {place.name}, whatever the settings: take a smaller model, or several cards.",
        )
    else:
        text = say(
            f"代价最小的改法：{change.text}，只要 {change.total_gib:.1f} GiB。",
            f"The cheapest change: {change.text}; it takes {change.total_gib:.1f} GiB.",
        )
    st.warning(shell.plain(text), icon=":material/memory:")


def _parts(found: Estimate) -> alt.LayerChart:
    """A bar a part, each with its size behind it."""
    rows = [
        {"part": say(*name), "gib": getattr(found, field), "said": f"{getattr(found, field):.2f}"}
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
    bars, words = base.mark_bar(color=COLORS[0], height=16), base.mark_text(align="left", dx=5)
    return cast(alt.LayerChart, alt.layer(bars, words.encode(text="said:N")).properties(height=210))


def hardware_table(spec: TrainSpec, parameters: int) -> None:
    """What LLaMA-Factory's README says a method takes, and what its rule says of this model."""
    st.caption(
        say(
            "教程所用工具（LLaMA-Factory）README 的估计，单位 GB，不看批大小、长度和词表，实际常更高。x 是十亿参数数。",
            "The estimate in the README of the tutorial's tool (LLaMA-Factory), in GB, whatever batch, length and vocabulary; it often takes more. x is billions of parameters.",
        )
    )
    columns = (say("方法", "method"), say("位数", "bits"), "7B", "14B", "30B", "70B", "x B")
    shell.table(
        [dict(zip(columns, row, strict=True)) for row in fitting.HARDWARE_TABLE],
        hide_index=True,
        height="content",
        alt=say("LLaMA-Factory 的硬件表", "LLaMA-Factory's hardware table"),
    )
    rule = fitting.tutorial_rule(spec, parameters)
    if rule:
        size = f"{rule.gb:,.0f}" if rule.gb >= 10 else f"{rule.gb:.2g}"
        st.caption(
            say(
                f"按这张表，这次训练要 {size} GB（{rule.method}，{rule.bits} 位：{rule.per_billion}）。",
                f"By this table, this training takes {size} GB ({rule.method}, {rule.bits} bit: {rule.per_billion}).",
            )
        )
