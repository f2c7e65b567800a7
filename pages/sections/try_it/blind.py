"""Draw blind comparisons: a question to two or three models without their names, the vote, the tally."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date
from functools import partial

import streamlit as st

from pages.sections.try_it.chat_messages import draw_message, model_label
from pages.sections.try_it.chat_settings import settings_button
from pages.sections.try_it.classify import Choice, server_of
from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import reporting
from pages.shared.text import plain, plain_lines
from studio.chats.blind import (
    FEWEST,
    MOST,
    PairTally,
    Round,
    Undecided,
    blind_conversation,
    list_rounds,
    record_round,
    tally,
    vote,
)
from studio.chats.conversation import ChatSettings, Conversation
from studio.chats.export import rounds_csv, rounds_jsonl
from studio.chats.streaming import Transcript, open_answer, stream_together
from studio.errors import ServerUnavailable
from studio.language import say

LETTERS = "ABC"
MODELS, SKIPPED = "blind-models", "blind-skipped"


def blind_section(choices: Mapping[str, Choice]) -> None:
    """Draw the choice of models, the open question or the next one, and what the votes show."""
    rounds = list_rounds(session.store())
    mine = [one for one in rounds if one.author == session.annotator()]
    latest = mine[0] if mine and mine[0].id not in st.session_state.get(SKIPPED, set()) else None
    is_open = latest is not None and latest.vote is None
    st.caption(
        say(
            "同一个问题问两三个模型，不写名字，顺序每题随机；投票之后才揭晓。",
            "The same question to two or three models, without names and in an order drawn for each "
            "question; they are named once you have voted.",
        )
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        settings = settings_button()
        st.session_state[MODELS] = [name for name in st.session_state.get(MODELS, []) if name in choices]
        models = st.multiselect(
            say("参加的模型", "Models"),
            list(choices),
            format_func=lambda name: choices[name].label,
            key=MODELS,
            max_selections=MOST,
            persist_state="session",
            placeholder=say("选两三个模型", "choose two or three models"),
        )
    asked = st.chat_input(
        say("问一个问题…", "Ask a question…")
        if len(models) >= FEWEST
        else say("先选两三个模型", "Choose two or three models first"),
        key="blind-input",
        disabled=len(models) < FEWEST or is_open,
        submit_mode="disable",
    )
    if asked:
        _ask(asked, models, settings, choices)
        st.rerun()
    if latest is not None:
        _round(latest, choices)
    _tally(rounds, choices)


def _ask(question: str, models: Sequence[str], settings: ChatSettings, choices: Mapping[str, Choice]) -> None:
    """Have every model answer, and store the round; nothing is drawn before the last one is ready.

    Who writes first, and how fast, would tell the models apart.

    Raises:
        ServerUnavailable: a model does not answer; the question is not counted.
    """
    conversation = blind_conversation(models, question, settings)
    servers = [server_of(choices[pane.model]) for pane in conversation.panes]
    streams = [open_answer(server, conversation, number) for number, server in enumerate(servers)]
    transcripts = [Transcript() for _ in streams]
    done = 0
    waiting = say("正在回答，都写完才一起显示", "They are answering; all answers are shown together")
    bar = st.progress(0.0, text=waiting)
    st.button(say("停止", "Stop"), key="blind-stop", icon=":material/stop_circle:")
    with closing(stream_together(streams)) as arrivals:
        for arrival in arrivals:
            if arrival is not None and arrival.error is not None:
                raise ServerUnavailable(
                    arrival.error.problem,
                    remedy=say("这一题不计入。", "The question does not count. ") + arrival.error.remedy,
                )
            if arrival is not None and arrival.piece is not None:
                transcripts[arrival.index].feed(arrival.piece)
            elif arrival is not None:
                done += 1
            bar.progress(done / len(streams), text=waiting)
    record_round(session.store(), _answered(conversation, transcripts), author=session.annotator())


def _answered(conversation: Conversation, transcripts: Sequence[Transcript]) -> Conversation:
    for number, transcript in enumerate(transcripts):
        message = transcript.message(0, conversation.settings)
        # How long it thought would tell the models apart.
        conversation = conversation.answered(number, message.model_copy(update={"thought_seconds": None}))
    return conversation


def _round(one: Round, choices: Mapping[str, Choice]) -> None:
    """Draw the answers side by side: by letters before the vote, by names after it."""
    st.markdown(f"**{plain_lines(one.question)}**")
    for place, (column, answer) in enumerate(zip(st.columns(len(one.answers)), one.answers, strict=True)):
        with column, st.container(border=True):
            name = LETTERS[place]
            if one.vote is not None:
                better = "　:green[:material/check:]" if one.vote == place else ""
                name = f"{name}: {model_label(one.models[place], choices)}{better}"
            st.markdown(f"**{name}**")
            draw_message(answer)
    if one.all_alike:
        st.caption(say("这些回答一字不差。", "These answers are the same to the letter."))
    if one.vote is not None:
        return
    with st.container(horizontal=True):
        for place in range(len(one.answers)):
            letter = LETTERS[place]
            _vote_button(say(f"{letter} 最好", f"{letter} is best"), one, place)
        _vote_button(say("差不多", "Tie"), one, "tie")
        _vote_button(say("都不好", "All bad"), one, "bad")
        st.button(
            say("不投，换一题", "Skip"),
            key="blind-skip",
            type="tertiary",
            help=say("这一题不计入。", "The question does not count."),
            on_click=_skip,
            args=(one.id,),
        )


def _vote_button(label: str, one: Round, choice: int | Undecided) -> None:
    st.button(label, key=f"blind-vote-{choice}", on_click=_vote, args=(one.id, choice))


@reporting
def _vote(number: int, choice: int | Undecided) -> None:
    vote(session.store(), number, choice, author=session.annotator())


@reporting
def _skip(number: int) -> None:
    st.session_state.setdefault(SKIPPED, set()).add(number)


def _tally(rounds: Sequence[Round], choices: Mapping[str, Choice]) -> None:
    """Draw what all votes show, pair by pair, and the exports."""
    voted = [one for one in rounds if one.vote is not None]
    if not voted:
        return
    st.subheader(say("票数", "Tally"), anchor=False)
    pairs = tally(rounds)
    for pair in pairs:
        st.markdown("- " + _verdict(pair, choices))
    share = st.column_config.NumberColumn(format="percent")
    better = say("{which} 更好", "{which} better")
    table(
        [
            {
                "A": choices[pair.model_a].label if pair.model_a in choices else pair.model_a,
                "B": choices[pair.model_b].label if pair.model_b in choices else pair.model_b,
                better.format(which="A"): pair.votes.a,
                better.format(which="B"): pair.votes.b,
                say("差不多", "tie"): pair.votes.ties,
                say("都不好", "all bad"): pair.votes.bad,
                say("A 的份额", "share of A"): pair.votes.share,
                "p": round(pair.p_value, 4),
            }
            for pair in pairs
        ],
        hide_index=True,
        column_config={say("A 的份额", "share of A"): share},
        alt=say("每对模型的票数", "Votes on each pair of models"),
    )
    names = {name: choice.label for name, choice in choices.items()}
    with st.container(horizontal=True):
        for extension, mime, content in (
            ("csv", "text/csv", partial(rounds_csv, voted, names)),
            ("jsonl", "application/jsonl", partial(rounds_jsonl, voted)),
        ):
            st.download_button(
                extension,
                content,
                file_name=f"blind_{date.today():%Y%m%d}.{extension}",
                mime=mime,
                key=f"blind-export-{extension}",
                icon=":material/download:",
                on_click="ignore",
            )


def _verdict(pair: PairTally, choices: Mapping[str, Choice]) -> str:
    """Say what the sign test shows, what it does not, and how many votes are missing."""
    votes = pair.votes
    a, b = model_label(pair.model_a, choices), model_label(pair.model_b, choices)
    low, high = votes.interval
    if pair.verdict == "no_votes":
        return say("“{a}”和“{b}”：还没有分出高下的票。", "{a} and {b}: no vote has decided yet.", a=a, b=b)
    if pair.verdict != "no_difference":
        if pair.verdict == "b_better":
            a, b, low, high = b, a, 1 - high, 1 - low
        sentence = say(
            "**“{a}”比“{b}”好**：{n} 票分出高下，其中 {k} 票选它（95% 区间 {low}–{high}），"
            "符号检验 p = {p}。",
            "**{a} is better than {b}**: {k} of {n} votes that decided (95 % interval {low}–{high}), sign "
            "test p = {p}.",
            a=a,
            b=b,
            n=votes.decided,
            k=max(votes.a, votes.b),
            low=f"{low:.0%}",
            high=f"{high:.0%}",
            p=_p(pair.p_value),
        )
        return sentence + ("" if votes.holds_when_watched else _watched())
    return say(
        "{n} 票看不出“{a}”和“{b}”谁更好：选前者的占 {low}–{high}（95% 区间），符号检验 p = {p}。{needed}",
        "{n} votes do not show which of {a} and {b} is better: {low}–{high} prefer {a} (95 % interval), "
        "sign test p = {p}. {needed}",
        a=a,
        b=b,
        n=votes.decided,
        low=f"{low:.0%}",
        high=f"{high:.0%}",
        p=_p(pair.p_value),
        needed=_needed(votes.needed),
    )


def _needed(needed: int | None) -> str:
    if needed is None:
        return say(
            "两边太接近：再投两千票也未必看得出。",
            "They are so close that 2,000 votes more might not show it.",
        )
    if needed == 0:
        return say(
            "几对一起比，还要更多的票。", "Several pairs are compared at once, which takes more votes."
        )
    return say(
        f"照现在的比例，大约还要 {needed:,} 票分出高下。",
        f"At this split about {needed:,} more votes that decide would usually show it.",
    )


def _watched() -> str:
    return say(
        "如果没有事先定好问几题，而是边看边投，这些票还不够：偶然也常会这样。",
        " Unless the number of questions was fixed beforehand, these are too few: who looks after each vote "
        "often sees as much by chance.",
    )


def _p(value: float) -> str:
    return plain(f"{value:.3f}" if value >= 0.001 else "< 0.001")
