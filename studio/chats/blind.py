"""Ask several models the same question without their names, and keep the votes.

The order of the answers is drawn anew for each question, and stored; the names are shown once the vote is
in, which is then final: whoever knows the names is no longer blind. Rounds and votes are append-only.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from studio.chats.conversation import ChatMessage, ChatSettings, Conversation, Pane
from studio.errors import InputError, StalePress
from studio.evaluation.paired import holm
from studio.evaluation.preference import Preference, PreferenceCode
from studio.language import say
from studio.store import Store, writing
from studio.team.rights import require_right

FEWEST, MOST = 2, 3
Undecided = Literal["tie", "bad"]
_draw = random.SystemRandom()


@dataclass(frozen=True, kw_only=True)
class Round:
    """A question with the answers in the order that was drawn, and the vote: a number, a tie, all bad."""

    id: int
    models: tuple[str, ...]
    question: str
    settings: ChatSettings
    answers: tuple[ChatMessage, ...]
    author: str
    at: str
    vote: int | Undecided | None = None
    voter: str | None = None

    @property
    def all_alike(self) -> bool:
        """Whether every model gave the same answer."""
        return len({answer.content.strip() for answer in self.answers}) == 1


@dataclass(frozen=True, kw_only=True)
class PairTally:
    """The votes on two models, and the p-value of the sign test, corrected for the number of pairs."""

    model_a: str
    model_b: str
    votes: Preference
    p_value: float

    @property
    def verdict(self) -> PreferenceCode:
        """What the votes show."""
        return self.votes.verdict(self.p_value)


def blind_conversation(models: Sequence[str], question: str, settings: ChatSettings) -> Conversation:
    """Ask the models a question, in an order drawn for it.

    Raises:
        InputError: there are not two or three different models, or no question.
    """
    different = list(dict.fromkeys(models))
    if not FEWEST <= len(different) <= MOST:
        raise InputError(
            say(
                f"盲测要 {FEWEST} 到 {MOST} 个模型。", f"A blind comparison takes {FEWEST} or {MOST} models."
            ),
            remedy=say("请再选一个模型。", "Choose another model."),
        )
    if not question.strip():
        raise InputError(
            say("没有问题可问。", "There is no question."),
            remedy=say("请写一个问题。", "Write a question."),
        )
    order = _draw.sample(different, len(different))
    return Conversation(settings=settings, panes=tuple(Pane(model=model) for model in order)).asked(question)


def record_round(db: Store, answered: Conversation, *, author: str) -> int:
    """Store a question that every model has answered; returns the round's number.

    Raises:
        NotAllowed: the person may not serve models.
    """
    require_right("serve_models", db, author)
    answers = [pane.messages[-1] for pane in answered.panes]
    assert all(answer.role == "assistant" for answer in answers), "every model has answered"
    with writing(db):
        number = db.execute(
            "insert into blind_rounds (models, question, settings, answers, author) values (?, ?, ?, ?, ?)",
            [
                _json([pane.model for pane in answered.panes]),
                answered.first_question,
                answered.settings.model_dump_json(),
                _json([answer.model_dump() for answer in answers]),
                author,
            ],
        ).lastrowid
    assert number is not None
    return number


def vote(db: Store, round_id: int, choice: int | Undecided, *, author: str) -> None:
    """Store the vote on a round, for good.

    Raises:
        StalePress: there is a vote on it; nothing is written.
        NotAllowed: the person may not serve models.
    """
    require_right("serve_models", db, author)
    with writing(db):
        added = db.execute(
            "insert into blind_votes (round_id, choice, author) values (?, ?, ?) on conflict do nothing",
            [round_id, str(choice), author],
        ).rowcount
    if added <= 0:
        raise StalePress(
            say("这一题已经投过票。", "There is a vote on this question."),
            remedy=say("请问下一题。", "Ask the next question."),
        )


def list_rounds(db: Store, *, author: str | None = None) -> list[Round]:
    """List the rounds, the newest first; `author`: of one person alone."""
    rows = db.execute(
        "select r.id, r.models, r.question, r.settings, r.answers, r.author, r.at, v.choice, v.author"
        " from blind_rounds r left join blind_votes v on v.round_id = r.id"
        " where ?1 is null or r.author = ?1 order by r.id desc",
        [author],
    ).fetchall()
    return [_round(row) for row in rows]


def find_round(db: Store, round_id: int) -> Round | None:
    """Find a round by its number."""
    return next((one for one in list_rounds(db) if one.id == round_id), None)


def tally(rounds: Sequence[Round], models: Sequence[str] | None = None) -> list[PairTally]:
    """Tally the votes on each pair of models that were asked together; `models`: only pairs of these.

    Of three models, one that is better than both others wins two pairs; between those two nothing was said.
    """
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for one in rounds:
        for a, b in combinations(sorted(set(one.models)), 2):
            if models is not None and not {a, b} <= set(models):
                continue
            count = counts.setdefault((a, b), dict.fromkeys(("a", "b", "ties", "bad"), 0))
            if isinstance(one.vote, int):
                better = one.models[one.vote]
                count["a"] += better == a
                count["b"] += better == b
            elif one.vote is not None:
                count["ties" if one.vote == "tie" else "bad"] += 1
    pairs = [(pair, Preference(**count)) for pair, count in sorted(counts.items())]
    corrected = holm([votes.p_value for _, votes in pairs])
    return [
        PairTally(model_a=a, model_b=b, votes=votes, p_value=p)
        for ((a, b), votes), p in zip(pairs, corrected, strict=True)
    ]


def _round(row: Sequence[Any]) -> Round:
    number, models, question, settings, answers, author, at, choice, voter = row
    return Round(
        id=number,
        models=tuple(json.loads(models)),
        question=question,
        settings=ChatSettings.model_validate_json(settings),
        answers=tuple(ChatMessage.model_validate(answer) for answer in json.loads(answers)),
        author=author,
        at=at,
        vote=_choice(choice),
        voter=voter,
    )


def _choice(text: str | None) -> int | Undecided | None:
    if text is None:
        return None
    if text == "tie":
        return "tie"
    return "bad" if text == "bad" else int(text)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
