"""What the Team page draws of agreement: the numbers, where people differ, and the exports."""

import streamlit as st

from pages.sections.team import charts as team_charts
from pages.shared import shell
from studio.language import say
from studio.store import Store
from studio.team import agreement_data as agreement_store
from studio.team.agreement import Agreement, Measure, measure_agreement

PAIRS_SHOWN = 8


def agreement_section(db: Store) -> None:
    """Agreement on the titles that several people answered, or how to get such titles."""
    titles = agreement_store.load_shared(db)
    found = measure_agreement(titles, shell.scheme().names)
    if found is None:
        st.info(
            say(
                "还没有两个人答过同一个标题。请管理员在“标注设置”里调高“多人标注的比例”（例如 0.1），再让两个人标注。",
                "No title has two answers yet. An admin can raise the share that several people label (say 0.1) "
                "in the label settings; then let two people label.",
            ),
            icon=":material/group:",
        )
        return
    _overall(found)
    if len(titles) == agreement_store.AT_MOST:
        st.caption(
            say(
                f"只算最近 {len(titles)} 个多人标注的标题。",
                f"Measured on the latest {len(titles)} shared titles.",
            )
        )
    _by_category(found)
    _by_people(db, found)
    st.subheader(say("随时间", "Over time"), anchor=False)
    st.altair_chart(team_charts.over_time_chart(found), alt=say("一致性随时间", "Agreement over time"))
    shell.downloads("agreement", agreement_store.to_csv(found), agreement_store.to_json(found))


def _overall(found: Agreement) -> None:
    name = say("Cohen κ（两人）", "Cohen's κ (two people)")
    if found.kappa == "fleiss":
        name = say("Fleiss κ（多人）", "Fleiss' κ (several people)")
    overall = found.overall
    low, high = overall.percent_interval
    with st.container(horizontal=True):
        st.metric(say("多人标注的标题", "Shared titles"), overall.n, border=True)
        st.metric(
            say("一致", "Agree"),
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
            f"95% 区间（对标题做 {1000} 次自助抽样）：一致 {low:.1%} – {high:.1%}，κ {interval_text(overall)}。",
            f"95 % intervals (titles drawn anew {1000} times): agree {low:.1%} – {high:.1%}, κ {interval_text(overall)}.",
        )
    )


KAPPA_HELP = (
    "去掉碰巧一致之后还剩多少一致：1 为完全一致，0 为与瞎猜无异。0.8 以上通常算可靠，0.6 以下应先改标注规则。",
    "Agreement beyond chance: 1 is perfect, 0 is guessing. Above 0.8 is usually called reliable; below 0.6 mend the guidelines first.",
)


def kappa_text(measure: Measure) -> str:
    """Kappa with two decimals, or a dash where it is not defined."""
    return "–" if measure.kappa is None else f"{measure.kappa:.2f}"


def interval_text(measure: Measure) -> str:
    """The interval of kappa."""
    if measure.kappa_interval is None:
        return "–"
    low, high = measure.kappa_interval
    return f"{low:.2f} – {high:.2f}"


def _by_category(found: Agreement) -> None:
    bars, pairs = st.columns([1, 1.25], gap="large")
    known = shell.scheme().names
    with bars:
        st.subheader(say("按类别", "By category"), anchor=False)
        st.altair_chart(
            team_charts.measure_bars(
                {
                    shell.category_name(name) if name in known else name: measure
                    for name, measure in found.per_category.items()
                }
            ),
            alt=say("各类的一致性", "Agreement per category"),
        )
        st.caption(
            say(
                "点是 κ，线是 95% 区间，浅条是一致比例。",
                "Dot: κ; line: its 95 % interval; pale bar: share that agrees.",
            )
        )
    with pairs:
        st.subheader(say("哪两类被混淆", "Which categories are confused"), anchor=False)
        st.altair_chart(team_charts.pair_chart(found), alt=say("两人答案的组合", "Pairs of answers"))
    for pair in found.category_pairs[:PAIRS_SHOWN]:
        if pair.one in known and pair.other in known:
            rule = shell.scheme().rule(pair.one, pair.other)
            st.markdown(
                f"{shell.category_mark(pair.one)} / {shell.category_mark(pair.other)}　"
                + say(f"混淆 **{pair.confused}** 次", f"confused **{pair.confused}** times")
                + f"　:gray[{say('一致', 'agree')} {pair.measure.percent:.0%} · κ {kappa_text(pair.measure)}"
                + f", {interval_text(pair.measure)}]"
                + (f"  \n:small[:gray[:material/balance: {shell.plain(rule)}]]" if rule else "")
            )


def _by_people(db: Store, found: Agreement) -> None:
    st.subheader(say("两两之间", "Between people"), anchor=False)
    shell.table(
        [
            {
                say("一人", "one"): pair.one,
                say("另一人", "other"): pair.other,
                say("共同标题", "shared"): pair.measure.n,
                say("一致", "agree"): f"{pair.measure.percent:.1%}",
                "Cohen κ": kappa_text(pair.measure),
                say("95% 区间", "95 % interval"): interval_text(pair.measure),
            }
            for pair in found.people_pairs
        ],
        hide_index=True,
        height="content",
        alt=say("两两之间的一致性", "Agreement between people"),
    )
