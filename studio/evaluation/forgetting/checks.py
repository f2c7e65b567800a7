"""Check whether an answer follows an instruction: length, form, words, order, language.

Each check is deterministic and looks at the text alone, as IFEval's do (Zhou et al. 2023). Characters are
counted without white space. Pure.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from studio.contract import CheckName, ProbeCheck

_Check = Callable[[str, int, Sequence[str]], bool]

_PUNCTUATION = re.compile(r"[^\w\s]|_")
_SENTENCE_END = re.compile(r"[。！？!?]+|\.(?=\s|$)")
_NUMBERED = re.compile(r"^(\d+)\s*[.．、)）]")
_BULLET = re.compile(r"^[-*•]\s+\S")
_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]")
_FENCE = re.compile(r"^```\w*\s*\n(.*?)\n?```$", re.DOTALL)


def holds(check: ProbeCheck, text: str) -> bool:
    """Whether an answer meets a check; an empty answer meets none."""
    return bool(text.strip()) and _CHECKS[check.check](text.strip(), check.number or 0, check.words)


def _length(text: str) -> int:
    return len("".join(text.split()))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _sentences(text: str) -> int:
    """Count sentences; what follows the last end mark is one more, a closing quotation mark is not."""
    return sum(bool(re.search(r"\w", part)) for part in _SENTENCE_END.split(text))


def _numbered(text: str, number: int, words: Sequence[str]) -> bool:
    found = [match[1] for line in _lines(text) if (match := _NUMBERED.match(line))]
    return found == [str(place) for place in range(1, number + 1)]


def _parts(text: str, number: int, words: Sequence[str]) -> bool:
    """Split at one of the separators, whichever is there, into so many parts that are not empty."""
    line = text.rstrip("。.")
    return any(
        separator in line and [bool(part.strip()) for part in line.split(separator)] == [True] * number
        for separator in words
    )


def _in_order(text: str, number: int, words: Sequence[str]) -> bool:
    place = 0
    for word in words:
        found = text.find(word, place)
        if found < 0:
            return False
        place = found + len(word)
    return True


def _language(text: str, number: int, words: Sequence[str]) -> bool:
    """Whether nine tenths of the letters are of that language's script; Chinese characters weigh double."""
    han, latin = 2 * len(_HAN.findall(text)), len(_LATIN.findall(text))
    wanted = han if words[0] == "zh" else latin
    return wanted > 0 and wanted >= 0.9 * (han + latin)


def _json(text: str) -> Any:
    """Parse an answer that is JSON and nothing else, a code fence around it allowed; None: it is not."""
    fenced = _FENCE.match(text)
    try:
        return json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return None


def _json_keys(text: str, number: int, words: Sequence[str]) -> bool:
    found = _json(text)
    return isinstance(found, dict) and set(found) == set(words)


def _json_items(text: str, number: int, words: Sequence[str]) -> bool:
    found = _json(text)
    return isinstance(found, list) and len(found) == number


_CHECKS: Mapping[CheckName, _Check] = {
    "max_chars": lambda text, number, words: _length(text) <= number,
    "min_chars": lambda text, number, words: _length(text) >= number,
    "exact_chars": lambda text, number, words: _length(_PUNCTUATION.sub("", text)) == number,
    "lines": lambda text, number, words: len(_lines(text)) == number,
    "paragraphs": lambda text, number, words: len(re.findall(r"\S[^\n]*\n\s*\n", text)) + 1 >= number,
    "sentences": lambda text, number, words: _sentences(text) == number,
    "numbered": _numbered,
    "bullets": lambda text, number, words: sum(bool(_BULLET.match(x)) for x in _lines(text)) == number,
    "parts": _parts,
    "occurs": lambda text, number, words: text.count(words[0]) == number,
    "includes": lambda text, number, words: all(word in text for word in words),
    "includes_any": lambda text, number, words: any(word in text for word in words),
    "excludes": lambda text, number, words: not any(word in text for word in words),
    "starts": lambda text, number, words: text.startswith(tuple(words)),
    "ends": lambda text, number, words: text.endswith(tuple(words)),
    "wrapped": lambda text, number, words: (
        text.startswith(words[0]) and text.rstrip("。").endswith(words[1]) and len(text) > 2
    ),
    "one_of": lambda text, number, words: text in words,
    "in_order": _in_order,
    "no_punctuation": lambda text, number, words: not _PUNCTUATION.search(text),
    "language": _language,
    "json_keys": _json_keys,
    "json_items": _json_items,
}
