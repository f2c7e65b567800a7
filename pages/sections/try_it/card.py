"""Draw one classified title: category, confidence, the words that carry it, the reason, the probabilities."""

from collections.abc import Sequence

import streamlit as st

from pages.sections.try_it.answers import direct_answer
from pages.sections.try_it.wrong_answer import Said, open_report, report_form
from pages.shared import charts, session
from pages.shared.text import category_mark, category_name, highlighted_spans, plain
from studio.language import say
from studio.quality.findings import deciding_words
from studio.samples.chain_phrases import chain_phrases, quotes_title
from studio.samples.occlusion import touched
from studio.samples.words import Span
from studio.serving.client import Classification, EvidenceWord

MOST_SAID = 4
"""Words that are highlighted and whose effect is written out: where every word is marked, none stands out."""


def card(answer: Classification, index: int, *, model: str, alone: bool, demonstration: bool) -> None:
    """Draw one classified title.

    Args:
        answer: what the model said.
        index: of the answer on the page, for the keys of its widgets.
        model: the name of the model that said it.
        alone: it is the only one: with all its probabilities.
        demonstration: by the small bundled model, whose chains read like what they are.
    """
    with st.container(border=True, gap="small"):
        head, result, button = st.columns([3.4, 1.3, 1], vertical_alignment="center")
        head.markdown(f"**{_title(answer)}**")
        result.markdown(_result(answer))
        place = f"{index}-{answer.title}"
        button.button(
            say("不对？", "Wrong?"),
            key=f"wrong-{index}",
            icon=":material/thumb_down:",
            width="stretch",
            on_click=open_report,
            args=(place,),
        )
        said = Said(
            title=answer.title,
            category=answer.category or answer.direct_category,
            chain=answer.chain,
            model=model,
        )
        report_form(place, said)
        if answer.ways_disagree:
            _disagreement(answer)
        if not alone:
            _evidence(answer)
            _reason(answer, index, folded=True, demonstration=demonstration)
            return
        words, bars = st.columns([1.2, 1], gap="large")
        with words:
            _evidence(answer)
            _reason(answer, index, folded=demonstration, demonstration=demonstration)
        if answer.probabilities:
            bars.caption(say("直接打分的概率", "Probabilities of direct scoring"))
            bars.altair_chart(
                charts.probability_bars(answer.probabilities, session.scheme()),
                alt=say("各类别的概率", "Probabilities"),
            )


def _title(answer: Classification) -> str:
    """Highlight the evidence in the title: what speaks for the category, and what against."""
    said = (answer.evidence or ())[:MOST_SAID]
    grounds = {Span(word.start, word.end): _ground(word) for word in said}
    return highlighted_spans(answer.title, grounds)


def _ground(word: EvidenceWord) -> str:
    return "green" if word.effect > 0 else "orange"


def _result(answer: Classification) -> str:
    if answer.abstains:
        top = say("、", ", ").join(
            f"{category_mark(each.category)} :gray[{each.probability:.0%}]" for each in answer.top3
        )
        return f":orange[**{say('请人工判断', 'Please decide yourself')}**]  \n{top}"
    if answer.category is None:
        return f":orange[{say('无法读出类别', 'no category')}]"
    share = "" if answer.confidence is None else f" :gray[{answer.confidence:.0%}]"
    if answer.ways_disagree and not share:
        other = say("直接打分", "direct scoring")
        return f"**{category_mark(answer.category)}**  \n:orange[{other}: {direct_answer(answer)}]"
    return f"**{category_mark(answer.category)}**{share}"


def _disagreement(answer: Classification) -> None:
    st.caption(
        say(
            "两种回答方式不一致：思维链得出“{chain}”，直接打分是 {direct}。这样的标题请自己看一眼。",
            "The two ways disagree: the think chain says {chain}, direct scoring {direct}. "
            "Have a look at such a title yourself.",
            chain=plain(answer.category or ""),
            direct=direct_answer(answer),
        )
    )


def _evidence(answer: Classification) -> None:
    """Write out what the model loses without the strongest words."""
    if answer.evidence is None:
        if not answer.probabilities:
            st.caption(
                say(
                    "这个接口不给出各类别的概率，所以没有逐词的依据。要看依据，请用本机的模型。",
                    "This endpoint tells no probabilities of the categories, so there is no evidence word by "
                    "word. Use a model of this computer to see it.",
                ),
                help=say(
                    "依据是逐个删去标题里的词、看答案的概率降多少；没有概率就无从比较。",
                    "Evidence is how far the probability falls without each word of the title; without "
                    "probabilities there is nothing to compare.",
                ),
            )
        return
    category = answer.category or answer.direct_category or ""
    whole = (answer.probabilities or {}).get(category, 0.0)
    st.caption(
        say("依据：删去这个词，答案的概率会怎样", "Evidence: the answer's probability without the word"),
        help=say(
            "逐个删去标题里的词（和相邻的两个词），用直接打分重算。绿底的词支持这个类别，橙底的反对。"
            "这是模型自己的概率之差，不是它写的话。",
            "Each word of the title, and each two neighbours, is deleted and the title scored again. Green "
            "words speak for the category, orange ones against. These are differences of the model's own "
            "probabilities, not words that it wrote.",
        ),
    )
    if not answer.evidence:
        st.markdown(
            say(
                "没有哪个词单独起决定作用：删去任何一个，概率几乎不变（{whole}）。",
                "No single word decides: without any one of them the probability hardly changes ({whole}).",
                whole=f"{whole:.0%}",
            )
        )
        return
    st.markdown("\n".join(_effect(word, category, whole) for word in answer.evidence[:MOST_SAID]))
    _agreement(answer, answer.evidence, category)


def _effect(word: EvidenceWord, category: str, whole: float) -> str:
    rest = min(1.0, max(0.0, whole - word.effect))
    return "- " + say(
        ":{ground}-background[{word}]　{category} {whole} → {rest}",
        ":{ground}-background[{word}]  {category} {whole} → {rest}",
        ground=_ground(word),
        word=plain(word.text),
        category=plain(category_name(category)),
        whole=f"{whole:.0%}",
        rest=f"{rest:.0%}",
    )


def _agreement(answer: Classification, evidence: Sequence[EvidenceWord], category: str) -> None:
    """Say whether the classifier of the quality scan, where it doubts this title, goes by the same words."""
    theirs = deciding_words(session.store(), session.workspace(), answer.title, category)
    if not theirs:
        return
    spans = [Span(word.start, word.end) for word in evidence if word.effect > 0]
    both = [plain(span.of(answer.title)) for span in touched(answer.title, spans, theirs)]
    if both:
        st.caption(
            say(
                "“错标与缺口”里的分类器也看中：{words}",
                "The classifier of “Errors and gaps” goes by these, too: {words}",
                words=say("、", ", ").join(both),
            )
        )
    else:
        st.caption(
            say(
                "“错标与缺口”里的分类器看中的是别的字：{words}",
                "The classifier of “Errors and gaps” goes by others: {words}",
                words=say("、", ", ").join(map(plain, theirs)),
            )
        )


def _reason(answer: Classification, index: int, *, folded: bool, demonstration: bool) -> None:
    """Draw the think chain: what it takes from the title highlighted, what it makes up marked."""
    if not answer.chain:
        st.caption(say("没有写思维链。", "No think chain was written."))
        return
    phrases = chain_phrases(answer.chain, answer.title, session.scheme().names)
    free = not quotes_title(phrases)
    name = say("模型写的理由", "Reason that the model wrote")
    if demonstration:
        name += say("（演示用小模型）", " (small model of the demonstration)")
    if free:
        name += say("：自由文本，不是依据", ": free text, no evidence")
    if folded or free:
        # In the element itself: another label is another element, which begins folded again.
        with st.expander(name, key=f"reason-{index}", type="compact"):
            _chain(answer.chain, {each.span: "green" if each.in_title else "orange" for each in phrases})
        return
    st.caption(name)
    _chain(answer.chain, {each.span: "green" if each.in_title else "orange" for each in phrases})


def _chain(chain: str, grounds: dict[Span, str]) -> None:
    st.markdown(f":small[{highlighted_spans(chain, grounds)}]")
    if "orange" in grounds.values():
        missing = say("、", ", ").join(
            dict.fromkeys(
                plain(span.of(chain)) for span, ground in sorted(grounds.items()) if ground == "orange"
            )
        )
        st.caption(say("标题里没有：{words}", "Not in the title: {words}", words=missing))
