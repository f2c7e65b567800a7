"""Define a conversation: panes, messages, settings, and what is done to them. Pure.

A conversation has one pane for each model that it is held with. Every pane is asked the same questions,
and each goes on with its own answers. What is done gives a new conversation; the state before is kept, so
that an edit that drops later turns can be undone.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_PANES = 3
MOST_UNDO = 10
LONGEST_NAME = 80
LONGEST_MESSAGE = 100_000

Role = Literal["user", "assistant"]
Ended = Literal["stop", "length", "stopped", "failed"]
"""How an answer ended: by itself, at its limit, by the person's stop, by an error."""


class _Frozen(BaseModel):
    # Ignored, not refused: an older studio opens what a later one wrote.
    model_config = ConfigDict(extra="ignore", frozen=True)


class ChatSettings(_Frozen):
    """How answers are sampled, and the system prompt that they are asked under."""

    system: str = Field("", max_length=LONGEST_MESSAGE)
    temperature: float = Field(0.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    max_tokens: int = Field(512, ge=1, le=32_768)
    seed: int | None = Field(None, ge=0, lt=2**48)
    thinks: bool = True


class ChatMessage(_Frozen):
    """A question, or an answer with its thought; `turn` is the number of the question that it belongs to."""

    role: Role
    turn: int
    model: str | None = Field(None, description="Who wrote an answer.")
    content: str = ""
    reasoning: str = ""
    thought_seconds: float | None = None
    ended: Ended | None = Field(None, description="None: a question, or an answer that is being written.")
    edited: bool = Field(False, description="A person changed what the model had written.")
    settings: ChatSettings | None = Field(None, description="What an answer was asked under.")


class Pane(_Frozen):
    """What was said with one model; `model` is its name on the page of models."""

    model: str
    messages: tuple[ChatMessage, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether its last question has no answer."""
        return bool(self.messages) and self.messages[-1].role == "user"

    def put(self, answer: ChatMessage) -> "Pane":
        """Set the answer of its turn, as far as it is written."""
        kept = [each for each in self.messages if (each.role, each.turn) != ("assistant", answer.turn)]
        return Pane(model=self.model, messages=(*kept, answer.model_copy(update={"model": self.model})))


class Conversation(_Frozen):
    """A conversation with one to three models."""

    settings: ChatSettings = ChatSettings()
    panes: tuple[Pane, ...] = ()
    undo: tuple[tuple[Pane, ...], ...] = ()

    @property
    def turns(self) -> int:
        """How many questions were asked: the number of the next one."""
        return max((each.turn + 1 for pane in self.panes for each in pane.messages), default=0)

    @property
    def first_question(self) -> str:
        """The first question, which names a conversation that nobody named; "" before any."""
        return next((each.content for pane in self.panes for each in pane.messages), "")

    def with_models(self, models: tuple[str, ...]) -> "Conversation":
        """Choose whom it is held with.

        A model that comes in goes on from what was said so far: in the pane of the one that it replaces,
        else in the first.
        """
        chosen = tuple(dict.fromkeys(models))[:MOST_PANES]
        known = {pane.model: pane for pane in self.panes}
        panes = []
        for place, model in enumerate(chosen):
            there = self.panes[place] if place < len(self.panes) else None
            source = there if there and there.model not in chosen else next(iter(self.panes), None)
            panes.append(known.get(model) or Pane(model=model, messages=source.messages if source else ()))
        if tuple(panes) == self.panes:
            return self
        return self._changed(tuple(panes), keep=any(pane.messages for pane in self.panes))

    def asked(self, text: str) -> "Conversation":
        """Ask every model a question."""
        question = ChatMessage(role="user", turn=self.turns, content=text[:LONGEST_MESSAGE])
        panes = tuple(Pane(model=p.model, messages=(*p.messages, question)) for p in self.panes)
        return self.model_copy(update={"panes": panes})

    def answered(self, number: int, answer: ChatMessage) -> "Conversation":
        """Set the answer of a pane."""
        panes = list(self.panes)
        panes[number] = panes[number].put(answer)
        return self.model_copy(update={"panes": tuple(panes)})

    def edited_question(self, turn: int, text: str) -> "Conversation":
        """Ask a question in other words: what came after it is dropped, in every pane."""
        panes = []
        for pane in self.panes:
            messages = tuple(each for each in pane.messages if each.turn < turn)
            if len(messages) < len(pane.messages):
                messages += (ChatMessage(role="user", turn=turn, content=text[:LONGEST_MESSAGE]),)
            panes.append(Pane(model=pane.model, messages=messages))
        return self._changed(tuple(panes))

    def edited_answer(self, number: int, turn: int, text: str) -> "Conversation":
        """Put other words into a model's mouth, which it goes on from."""
        pane = self.panes[number]
        messages = tuple(
            each.model_copy(update={"content": text[:LONGEST_MESSAGE], "edited": True})
            if (each.role, each.turn) == ("assistant", turn)
            else each
            for each in pane.messages
        )
        panes = list(self.panes)
        panes[number] = Pane(model=pane.model, messages=messages)
        return self._changed(tuple(panes))

    def regenerating(self, number: int) -> "Conversation":
        """Drop the last answer of a pane, which then waits for another."""
        pane = self.panes[number]
        if not pane.messages or pane.messages[-1].role != "assistant":
            return self
        panes = list(self.panes)
        panes[number] = Pane(model=pane.model, messages=pane.messages[:-1])
        return self._changed(tuple(panes))

    def undone(self) -> "Conversation":
        """Take back the last edit, regeneration or change of models."""
        if not self.undo:
            return self
        return self.model_copy(update={"panes": self.undo[-1], "undo": self.undo[:-1]})

    def _changed(self, panes: tuple[Pane, ...], *, keep: bool = True) -> "Conversation":
        undo = (*self.undo, self.panes)[-MOST_UNDO:] if keep else self.undo
        return self.model_copy(update={"panes": panes, "undo": undo})


def prompt_messages(pane: Pane, turn: int, settings: ChatSettings) -> list[Mapping[str, str]]:
    """Build the messages that the answer of a turn is asked with: without thoughts, as templates expect.

    An answer that never came is left out, with its question.
    """
    said = [each for each in pane.messages if each.turn < turn]
    answered = {each.turn for each in said if each.role == "assistant" and each.content}
    question = [each for each in pane.messages if (each.role, each.turn) == ("user", turn)]
    kept = [*(each for each in said if each.turn in answered), *question]
    system = [{"role": "system", "content": settings.system}] if settings.system.strip() else []
    return [*system, *({"role": each.role, "content": each.content} for each in kept)]
