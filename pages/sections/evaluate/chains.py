"""Draw answers with a think chain against those without on the same titles, and what the chains are like."""

from collections.abc import Sequence

import streamlit as st

from pages.shared import session
from pages.shared.elements import table
from pages.shared.text import TOKEN_NOTE, category_name
from studio import runs
from studio.contract import AnswerMode, Prediction, Scores
from studio.evaluation.chain_quality import (
    ChainOrDirect,
    ChainQuality,
    by_category,
    chain_or_direct,
    chain_quality,
    quality_by_category,
)
from studio.evaluation.row_tags import other_evaluation
from studio.evaluation.training_rows import trained_rows
from studio.language import say
from studio.runs import Run


def chains_section(run: Run, answer: AnswerMode, predictions: Sequence[Prediction]) -> None:
    """Draw the comparison of the two ways, its price, and the quality of the chains."""
    workspace = session.workspace()
    other_run, other = other_evaluation(workspace, run, answer)
    own = list(predictions)
    chains, direct = (own, other) if answer == "chain" else (other, own)
    compared = chain_or_direct(chains, direct)
    if compared is None:
        st.info(
            say(
                "同样的标题只用一种方式回答过。用另一种方式再评估一次（见下），就能逐条对比。",
                "These titles were answered in one way only. Evaluate them in the other way as well (below) "
                "to compare the two title by title.",
            ),
            icon=":material/compare_arrows:",
        )
    else:
        scores_of = {answer: _scores(run, answer), _other(answer): _scores(other_run, _other(answer))}
        _comparison(compared, chains, scores_of["chain"], scores_of["direct"])
        _categories(by_category(chains, direct, session.scheme().names))
    _quality(run, chains)


def _other(answer: AnswerMode) -> AnswerMode:
    return "direct" if answer == "chain" else "chain"


def _scores(run: Run, answer: AnswerMode) -> Scores | None:
    file = runs.load_scores(run)
    return file.evaluations.get(answer) if file else None


def _comparison(
    compared: ChainOrDirect, chains: Sequence[Prediction], chain: Scores | None, direct: Scores | None
) -> None:
    """Draw the verdict, the four counts, and what a chain costs."""
    st.markdown(f"**{_verdict(compared)}**")
    with st.grid(4, min_column_width=130):
        st.metric(say("都对", "both right"), compared.both)
        st.metric(say("只有思维链对", "chain alone right"), compared.chain_alone)
        st.metric(say("只有直接打分对", "direct alone right"), compared.direct_alone)
        neither = compared.titles - compared.both - compared.chain_alone - compared.direct_alone
        st.metric(say("都错", "both wrong"), neither)
    st.caption(_price(chains, chain, direct), help=say(*TOKEN_NOTE))


def _verdict(compared: ChainOrDirect) -> str:
    """Say which way is better, or how large a difference could still hide."""
    low, high = compared.interval
    numbers = say(
        f"思维链 {compared.chain_accuracy:.1%}，直接打分 {compared.direct_accuracy:.1%}，"
        f"同样 {compared.titles} 条标题逐条对比，p = {compared.p_value:.2f}",
        f"chain {compared.chain_accuracy:.1%}, direct {compared.direct_accuracy:.1%}, paired over "
        f"{compared.titles} titles, p = {compared.p_value:.2f}",
    )
    if compared.p_value < 0.05 and compared.difference > 0:
        return say("写思维链更好：{numbers}。", "The think chain is better: {numbers}.", numbers=numbers)
    if compared.p_value < 0.05:
        return say("直接打分更好：{numbers}。", "Direct scoring is better: {numbers}.", numbers=numbers)
    hidden = max(abs(low), abs(high))
    return say(
        "看不出差别：{numbers}；相差不到 {hidden} 的差别这么多标题看不出来。",
        "No difference is visible: {numbers}; with so many titles one of up to {hidden} could hide.",
        numbers=numbers,
        hidden=f"{hidden:.0%}",
    )


def _price(chains: Sequence[Prediction], chain: Scores | None, direct: Scores | None) -> str:
    """Say what a chain costs in tokens and seconds."""
    tokens = sum(row.tokens for row in chains) / max(1, len(chains))
    text = say(
        f"思维链平均每条生成 {tokens:.0f} 个词元", f"A chain takes {tokens:.0f} tokens a title on average"
    )
    if chain is None or direct is None:
        return text + say("。", ".")
    slow, fast = 1 / max(chain.samples_per_second, 1e-9), 1 / max(direct.samples_per_second, 1e-9)
    return text + say(
        f"、{slow:.3f} 秒；直接打分 {fast:.3f} 秒，快 {slow / fast:.1f} 倍。",
        f" and {slow:.3f} s; direct scoring takes {fast:.3f} s, {slow / fast:.1f} times as fast.",
    )


def _categories(found: dict[str, ChainOrDirect]) -> None:
    table(
        [
            {
                say("类别", "category"): category_name(name),
                say("条数", "titles"): each.titles,
                say("思维链", "chain"): f"{each.chain_accuracy:.0%}",
                say("直接打分", "direct"): f"{each.direct_accuracy:.0%}",
                say("只有思维链对", "chain alone"): each.chain_alone,
                say("只有直接打分对", "direct alone"): each.direct_alone,
            }
            for name, each in found.items()
        ],
        hide_index=True,
        height="content",
        alt=say("逐类对比", "Comparison by category"),
    )
    st.caption(
        say(
            "逐类的条数少，一两条的差别多半是运气。",
            "Each category has few titles: a difference of one or two is mostly luck.",
        )
    )


def _quality(run: Run, chains: Sequence[Prediction]) -> None:
    """Draw what the chains are like, over all and by category."""
    scheme = session.scheme()
    trained = trained_rows(session.workspace(), run, scheme).chains
    whole = chain_quality(chains, scheme, trained)
    if whole is None:
        return
    st.markdown(f"**{say('思维链的质量', 'What the chains are like')}**")
    lines = [(say("全部", "all"), whole)]
    lines += [
        (category_name(name), each) for name, each in quality_by_category(chains, scheme, trained).items()
    ]
    table(
        [_quality_line(name, each) for name, each in lines],
        hide_index=True,
        height="content",
        alt=say("思维链的质量", "What the chains are like"),
    )
    st.caption(
        say(
            "引文属实：加引号的词里标题确实有的比例。与答案一致：思维链落在它自己的答案上。"
            "照抄训练：一半以上的字连续十个以上与某条训练思维链相同。不同字对：越低越千篇一律。",
            "Quotes real: share of the quoted phrases that the title has. Agrees: the chain concludes with "
            "its own answer. Copied: more than half of it stands in training chains, ten characters in a row "
            "or more. Distinct pairs: the lower, the more alike the chains are. ",
        )
        + say(*TOKEN_NOTE)
    )


def _quality_line(name: str, each: ChainQuality) -> dict[str, object]:
    def percent(share: float | None) -> str:
        return "–" if share is None else f"{share:.0%}"

    return {
        say("类别", "category"): name,
        say("条数", "chains"): each.chains,
        say("引文属实", "quotes real"): percent(each.quotes_in_title),
        say("引文全属实", "all quotes real"): percent(each.all_quotes_real),
        say("与答案一致", "agrees"): percent(each.agrees),
        say("没说类别", "no category"): percent(each.undecided),
        say("字数（中位）", "characters (median)"): round(each.characters),
        say("长度（词元）", "length (tokens)"): round(each.tokens),
        say("被截断", "cut off"): each.forced,
        say("照抄训练", "copied"): percent(each.copied),
        say("不同字对", "distinct pairs"): percent(each.distinct),
    }
