"""Stream the answers of one or several models at once.

Each is read in a thread of its own, so that a slow model holds up no other. Closing the iterator ends all
of them: what has arrived by then has been handed over, and stays with whoever reads.
"""

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

from studio.chats.conversation import ChatMessage, ChatSettings, Conversation, Ended, prompt_messages
from studio.errors import StudioError
from studio.samples.canonical import split_thought
from studio.serving.client import ChatEndpoint, ChatPiece, stream_chat

Open = Callable[[], Generator[ChatPiece]]


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What arrived of one of the streams: a piece, or the error that it ended with; None, None: its end."""

    index: int
    piece: ChatPiece | None = None
    error: StudioError | None = None


class Transcript:
    """An answer as it grows: its thought and its text, whichever way the server tells them apart."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._reasoning = self._content = ""
        self.thought_seconds: float | None = None
        self.ended: Ended | None = None

    def feed(self, piece: ChatPiece) -> None:
        """Take a piece."""
        if piece.kind == "reasoning":
            self._reasoning += piece.text
        elif piece.kind == "content":
            self._content += piece.text
        else:
            self.ended = "length" if piece.text == "length" else "stop"
        if self.answer.strip() and self.thought and self.thought_seconds is None:
            self.thought_seconds = time.monotonic() - self._began

    @property
    def thought(self) -> str:
        """The think chain so far."""
        return self._reasoning or split_thought(self._content)[0]

    @property
    def answer(self) -> str:
        """The text so far."""
        return self._content if self._reasoning else split_thought(self._content)[1]

    def message(self, turn: int, settings: ChatSettings) -> ChatMessage:
        """Build the message as it stands."""
        return ChatMessage(
            role="assistant",
            turn=turn,
            content=self.answer.strip(),
            reasoning=self.thought.strip(),
            thought_seconds=self.thought_seconds,
            ended=self.ended,
            settings=settings,
        )


def open_answer(server: str | ChatEndpoint, conversation: Conversation, number: int) -> Open:
    """Prepare the answer of a pane to its last question; nothing is sent before it is opened."""
    pane, settings = conversation.panes[number], conversation.settings
    messages = prompt_messages(pane, pane.messages[-1].turn, settings)
    return lambda: stream_chat(
        server,
        messages,  # type: ignore[arg-type]  # roles are those of the protocol
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        top_p=settings.top_p,
        seed=settings.seed,
        thinks=settings.thinks,
    )


def stream_together(streams: Sequence[Open], *, beat_seconds: float = 0.25) -> Generator[Arrival | None]:
    """Read several streams at once; None every so often where nothing arrives, so that a page can stop.

    Every stream ends with an arrival that has neither piece nor error, or with one that has an error.
    """
    arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
    stop = threading.Event()
    for index, start in enumerate(streams):
        # The context carries the language that errors are told in.
        run = contextvars.copy_context().run
        threading.Thread(target=run, args=(_read, index, start, arrivals, stop), daemon=True).start()
    left = len(streams)
    try:
        while left:
            try:
                arrival = arrivals.get(timeout=beat_seconds)
            except queue.Empty:
                yield None
                continue
            left -= arrival.piece is None
            yield arrival
    finally:
        stop.set()


def _read(index: int, start: Open, arrivals: "queue.SimpleQueue[Arrival]", stop: threading.Event) -> None:
    problem = None
    try:
        with closing(start()) as pieces:
            for piece in pieces:
                if stop.is_set():
                    return
                arrivals.put(Arrival(index=index, piece=piece))
    except StudioError as error:
        problem = error
    finally:
        # Also after a fault of ours, which the thread reports by itself: nobody may wait for ever.
        arrivals.put(Arrival(index=index, error=problem))
