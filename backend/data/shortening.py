"""Think chains cut to fit: what a row loses is the middle of its reasoning, never its answer.

This module knows text, not tokens: whoever calls it says what fits.
"""

import re
from collections.abc import Callable, Sequence

from backend.data.templates import Message
from studio.samples.canonical import Answer, read_answer, write_answer

_SENTENCE = re.compile(r"[^。！？!?；;\n]*(?:[。！？!?；;\n]+[”’」』）)]*|$)")


def shorten_chains(
    messages: Sequence[Message], fits: Callable[[Sequence[Message]], bool]
) -> list[Message] | None:
    """The conversation with its longest chains cut until it fits; None where no chain is long enough.

    Whole sentences go first, from the back, and the last one stays: it says what the
    answer follows from. Every answer that was cut is in canonical form.
    """
    chains = {place: answer for place, m in enumerate(messages) if (answer := _with_chain(m))}
    for place in sorted(chains, key=lambda place: len(chains[place].chain or ""), reverse=True):
        kept = _longest(_rewritten(messages, place, chains[place]), fits)
        if kept is not None:
            return kept
        # Even without this chain it is too long: the next longest goes as well.
        messages = _rewritten(messages, place, chains[place])[0]
    return None


def _rewritten(messages: Sequence[Message], place: int, answer: Answer) -> list[list[Message]]:
    """The conversation with ever longer shortenings of the chain in one place."""
    return [
        [
            *messages[:place],
            {**messages[place], "content": write_answer(chain, answer.label)},
            *messages[place + 1 :],
        ]
        for chain in _cuts(answer.chain or "")
    ]


def _with_chain(message: Message) -> Answer | None:
    """The answer that the message is, if it is one with a think chain to cut."""
    if message["role"] != "assistant":
        return None
    answer = read_answer(message["content"])
    return answer if answer.chain and answer.label else None


def _cuts(chain: str) -> list[str]:
    """Ever longer shortenings of a chain: nothing, the last sentence letter by letter, then more sentences."""
    sentences = [found for found in _SENTENCE.findall(chain) if found]
    last = sentences[-1]
    letters = [last[:end] for end in range(len(last) + 1)]
    return [*letters, *("".join(sentences[:end]) + last for end in range(1, len(sentences) - 1))]


def _longest(
    cuts: Sequence[list[Message]], fits: Callable[[Sequence[Message]], bool]
) -> list[Message] | None:
    """The longest of them that fits, by halving: a longer text has more tokens. None: not even the first."""
    if not fits(cuts[0]):
        return None
    low, high = 0, len(cuts)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(cuts[middle]) else (low, middle)
    return cuts[low]
