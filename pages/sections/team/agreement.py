"""Draw inter-annotator agreement: the numbers, where people differ, and the exports."""

import streamlit as st

from pages.sections.team import charts
from pages.shared import session
from pages.shared.elements import table
from pages.shared.files import download_buttons
from pages.shared.text import category_mark, category_name, plain
from studio.language import say
from studio.store import Store
from studio.team import agreement_data
from studio.team.agreement import Agreement, CategoryPair, Measure, measure_agreement

PAIRS_SHOWN = 8


def agreement_section(db: Store) -> None:
    """Draw the agreement on titles that several people labelled, or how to get such titles."""
    titles = agreement_data.load_shared(db)
    found = measure_agreement(titles, session.scheme().names)
    if found is None:
        st.info(
            say(
                "还没有两个人标注过同一条标题。请管理员在“设置”里调高“多人标注的比例”（例如 10%），"
                "再让两个人标注。",
                "No title has two labels yet. An admin can raise “Labelled by several” (for example to 10 %) "
                "in the settings; then let two people label.",
            ),
            icon=":material/group:",
        )
        return
    _overall(found)
    if len(titles) == agreement_data.AT_MOST:
        st.caption(
            say(
                f"只计算最近 {len(titles)} 条多人标注的标题。",
                f"Measured on the latest {len(titles)} titles with several labels.",
            )
        )
    _by_category(found)
    _by_people(db, found)
    st.subheader(say("随时间", "Over time"), anchor=False)
    st.altair_chart(charts.over_time_chart(found), alt=say("一致性随时间", "Agreement over time"))
    download_buttons("agreement", agreement_data.to_csv(found), agreement_data.to_json(found))


def _overall(found: Agreement) -> None:
    name = say("Cohen κ（两人）", "Cohen's κ (two people)")
    if found.kappa == "fleiss":
        name = say("Fleiss κ（多人）", "Fleiss' κ (several people)")
    overall = found.overall
    low, high = overall.percent_interval
    with st.container(horizontal=True):
        st.metric(say("多人标注的标题", "Titles with several labels"), overall.n, border=True)
        st.metric(
            say("一致率", "Agreement"),
            f"{overall.percent:.1%}",
            border=True,
            help=say(f"95% 区间 {low:.1%} – {high:.1%}", f"95 % interval {low:.1%} – {high:.1%}"),
        )
        st.metric(
            name,
            kappa_text(overall),
            border=True,
            help=say(*KAPPA_HELP),
        )
    st.caption(
        say(
            f"95% 区间（把标题重新抽 {1000} 次算出；标题越多，区间越窄）：一致率 {low:.1%} – {high:.1%}，"
            f"κ {interval_text(overall)}。",
            f"95 % bootstrap intervals ({1000} resamples; more titles make them narrower): "
            f"agreement {low:.1%} – {high:.1%}, "
            f"κ {interval_text(overall)}.",
        )
    )


KAPPA_HELP = (
    "扣除偶然一致后的一致程度：1 为完全一致，0 与随机无异。0.8 以上通常算可靠，0.6 以下应先修订标注规则。",
    "Agreement beyond chance: 1 is perfect, 0 is chance. Above 0.8 is usually considered reliable; "
    "below 0.6, revise the guidelines first.",
)


def kappa_text(measure: Measure) -> str:
    """Format kappa with two decimals, or a dash where it is not defined."""
    return "–" if measure.kappa is None else f"{measure.kappa:.2f}"


def interval_text(measure: Measure) -> str:
    """Format the interval of kappa."""
    if measure.kappa_interval is None:
        return "–"
    low, high = measure.kappa_interval
    return f"{low:.2f} – {high:.2f}"


def _by_category(found: Agreement) -> None:
    bars, pairs = st.columns([1, 1.25], gap="large")
    known = session.scheme().names
    with bars:
        st.subheader(say("按类别", "Per category"), anchor=False)
        st.altair_chart(
            charts.measure_bars(
                {
                    category_name(name) if name in known else name: measure
                    for name, measure in found.per_category.items()
                }
            ),
            alt=say("各类的一致性", "Agreement per category"),
        )
        st.caption(
            say(
                "点是 κ，线是 95% 区间，浅色条是一致率。",
                "Dot: κ; line: its 95 % interval; pale bar: agreement.",
            )
        )
    with pairs:
        st.subheader(say("易混类别", "Confused categories"), anchor=False)
        st.altair_chart(charts.pair_chart(found), alt=say("两人答案的组合", "Pairs of answers"))
    for pair in found.category_pairs[:PAIRS_SHOWN]:
        if pair.one in known and pair.other in known:
            _pair(pair)


def _pair(pair: CategoryPair) -> None:
    """Draw how often two categories were confused, and the rule between them."""
    confused = say(f"混淆 **{pair.confused}** 次", f"confused **{pair.confused}** times")
    agreement = f"{say('一致率', 'agreement')} {pair.measure.percent:.0%}"
    kappa = f"κ {kappa_text(pair.measure)}, {interval_text(pair.measure)}"
    rule = session.scheme().rule(pair.one, pair.other)
    st.markdown(
        f"{category_mark(pair.one)} / {category_mark(pair.other)}　{confused}　:gray[{agreement} · {kappa}]"
        + (f"  \n:small[:gray[:material/balance: {plain(rule)}]]" if rule else "")
    )


def _by_people(db: Store, found: Agreement) -> None:
    st.subheader(say("两两之间", "Between pairs of people"), anchor=False)
    table(
        [
            {
                say("一人", "one"): pair.one,
                say("另一人", "other"): pair.other,
                say("共同标题", "titles"): pair.measure.n,
                say("一致率", "agreement"): f"{pair.measure.percent:.1%}",
                "Cohen κ": kappa_text(pair.measure),
                say("95% 区间", "95 % interval"): interval_text(pair.measure),
            }
            for pair in found.people_pairs
        ],
        hide_index=True,
        height="content",
        alt=say("两两之间的一致性", "Agreement between pairs of people"),
    )
