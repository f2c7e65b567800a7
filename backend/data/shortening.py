"""Shorten think chains to fit a limit: a row loses the middle of its reasoning, never its answer.

This module knows text, not tokens: the caller decides what fits.
"""

import re
from collections.abc import Callable, Sequence

from backend.data.templates import Message
from studio.samples.canonical import Answer, read_answer, write_answer

_SENTENCE = re.compile(r"[^。！？!?；;\n]*(?:[。！？!?；;\n]+[”’」』）)]*|$)")


def shorten_chains(
    messages: Sequence[Message], fits: Callable[[Sequence[Message]], bool]
) -> list[Message] | None:
    """Shorten a conversation's longest chains until it fits; None where that is not enough.

    Whole sentences go first, from the back, and the last one stays: it says what the
    answer follows from. Every answer that was shortened is in canonical form.
    """
    chains = {index: answer for index, m in enumerate(messages) if (answer := _with_chain(m))}
    for index in sorted(chains, key=lambda index: len(chains[index].chain or ""), reverse=True):
        kept = _longest(_rewritten(messages, index, chains[index]), fits)
        if kept is not None:
            return kept
        # Even without this chain it is too long: the next longest goes as well.
        messages = _rewritten(messages, index, chains[index])[0]
    return None


def _rewritten(messages: Sequence[Message], index: int, answer: Answer) -> list[list[Message]]:
    """Rewrite one answer with ever longer versions of its chain."""
    return [
        [
            *messages[:index],
            {**messages[index], "content": write_answer(chain, answer.label)},
            *messages[index + 1 :],
        ]
        for chain in _cuts(answer.chain or "")
    ]


def _with_chain(message: Message) -> Answer | None:
    """Read the message as an answer, if it is one with a think chain to shorten."""
    if message["role"] != "assistant":
        return None
    answer = read_answer(message["content"])
    return answer if answer.chain and answer.label else None


def _cuts(chain: str) -> list[str]:
    """List ever longer versions of a chain: none, the last sentence letter by letter, more sentences."""
    sentences = [found for found in _SENTENCE.findall(chain) if found]
    last = sentences[-1]
    letters = [last[:end] for end in range(len(last) + 1)]
    return [*letters, *("".join(sentences[:end]) + last for end in range(1, len(sentences) - 1))]


def _longest(
    cuts: Sequence[list[Message]], fits: Callable[[Sequence[Message]], bool]
) -> list[Message] | None:
    """Find the longest that fits by bisection, as a longer text has more tokens; None if none fits."""
    if not fits(cuts[0]):
        return None
    low, high = 0, len(cuts)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(cuts[middle]) else (low, middle)
    return cuts[low]
