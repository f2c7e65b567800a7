"""Stream answers into the panes of a conversation; what arrived is kept, however it ends."""

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.sections.try_it.chat_messages import AVATARS, thought_label
from pages.sections.try_it.chat_settings import shows_thoughts
from pages.sections.try_it.classify import Choice, server_of
from pages.shared import session
from pages.shared.text import plain_lines
from studio.chats.conversation import Conversation
from studio.chats.records import Kept, save_conversation
from studio.chats.streaming import Transcript, open_answer, stream_together
from studio.errors import InputError, StudioError
from studio.language import say
from studio.store import Store

SAVED_EVERY_SECONDS = 2.0
"""A studio that is killed loses no more than this."""
LIVE = "chat-live"


def answer_panes(
    kept: Kept, numbers: Sequence[int], places: Sequence[DeltaGenerator], choices: Mapping[str, Choice]
) -> dict[int, StudioError]:
    """Answer the last question in these panes, all at once; returns the errors by pane.

    Stopping, by a button or by leaving, ends this run inside the loop: what arrived is saved all the same.
    """
    conversation = kept.conversation
    errors: dict[int, StudioError] = {}
    streams, opened = [], []
    for number in numbers:
        try:
            server = server_of(_choice(conversation.panes[number].model, choices))
        except StudioError as error:
            errors[number] = error
            continue
        streams.append(open_answer(server, conversation, number))
        opened.append(number)
    transcripts = [Transcript() for _ in opened]
    views = [_AnswerView(places[number]) for number in opened]
    db = session.store()
    live = st.session_state[LIVE] = LiveAnswers(kept, opened, transcripts)
    try:
        with closing(stream_together(streams)) as arrivals:
            for arrival in arrivals:
                if arrival is not None and arrival.piece is not None:
                    transcripts[arrival.index].feed(arrival.piece)
                elif arrival is not None:
                    transcripts[arrival.index].ended = transcripts[arrival.index].ended or "failed"
                    if arrival.error:
                        errors[opened[arrival.index]] = arrival.error
                # All of them, also where nothing came: a page that draws nothing cannot be stopped.
                for view, transcript in zip(views, transcripts, strict=True):
                    view.draw(transcript)
                live.save_now_and_then(db)
    finally:
        live.finish(db)
    return errors


class _AnswerView:
    """Where one answer is drawn as it grows."""

    def __init__(self, place: DeltaGenerator) -> None:
        self._began = time.monotonic()
        with place.chat_message("assistant", avatar=AVATARS["assistant"]):
            self._status = st.status(_thinking(), type="compact", expanded=True)
            with self._status:
                self._thought = st.empty()
            self._words = st.empty()
        self._drawn = ("", "")
        self._folded = False

    def draw(self, transcript: Transcript) -> None:
        """Draw what is new."""
        now = transcript.thought, transcript.answer
        is_over = transcript.ended is not None or bool(now[1].strip())
        if now != self._drawn:
            if now[0] != self._drawn[0]:
                self._thought.markdown(plain_lines(now[0]))
            if now[1] != self._drawn[1]:
                self._words.markdown(plain_lines(now[1]))
            self._drawn = now
        elif not is_over:
            seconds = time.monotonic() - self._began
            self._status.update(label=f"{_thinking()} {seconds:.0f} s")
        if is_over and not self._folded:
            self._folded = True
            label = thought_label(transcript.thought_seconds)
            self._status.update(label=label, state="complete", expanded=shows_thoughts() and bool(now[0]))


class LiveAnswers:
    """Answers that are being written, shared by the run that writes them and the one that follows a stop.

    Streamlit begins the next run before the stopped one has noticed: whichever comes first saves what has
    arrived, and the other does nothing.
    """

    def __init__(self, kept: Kept, numbers: Sequence[int], transcripts: Sequence[Transcript]) -> None:
        self._kept = kept
        self._numbers = numbers
        self._transcripts = transcripts
        self._lock = threading.Lock()
        self._finished = False
        self._saved = time.monotonic()

    def save_now_and_then(self, db: Store) -> None:
        """Save what has arrived, every two seconds."""
        with self._lock:
            if not self._finished and time.monotonic() - self._saved > SAVED_EVERY_SECONDS:
                self._save(db)

    def finish(self, db: Store) -> None:
        """Save what has arrived for good; an answer without an end was stopped."""
        with self._lock:
            if self._finished:
                return
            self._finished = True
            for transcript in self._transcripts:
                transcript.ended = transcript.ended or "stopped"
            self._save(db)

    def _save(self, db: Store) -> None:
        self._saved = time.monotonic()
        conversation: Conversation = self._kept.conversation
        for number, transcript in zip(self._numbers, self._transcripts, strict=True):
            pane = conversation.panes[number]
            turn = next(each.turn for each in reversed(pane.messages) if each.role == "user")
            if transcript.answer.strip() or transcript.thought.strip():
                conversation = conversation.answered(number, transcript.message(turn, conversation.settings))
        self._kept = save_conversation(db, self._kept, conversation)


def finish_stopped(db: Store) -> None:
    """Save the answers of a run that this one interrupted, before anything is read."""
    live: LiveAnswers | None = st.session_state.pop(LIVE, None)
    if live is not None:
        live.finish(db)


def _choice(model: str, choices: Mapping[str, Choice]) -> Choice:
    if model not in choices:
        raise InputError(
            say(f"模型 {model} 已经不在了。", f"The model {model} is gone."),
            remedy=say("请在页面上方换一个模型再问。", "Choose another model at the top, and ask again."),
        )
    return choices[model]


def _thinking() -> str:
    return f":shimmer[{say('思考中', 'Thinking')}]"
