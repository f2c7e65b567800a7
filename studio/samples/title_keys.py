"""Make the keys of many titles at once, as `title_key` makes one.

Nearly all characters of Chinese titles are kept or dropped whatever stands beside them: these titles are done
in numpy, a hundred thousand in 0.1 s. A title with any other character is left to `title_key`.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from studio.samples.title_text import title_key

_TOGETHER = 8192
"""Titles whose characters are in memory at once."""
_KEPT, _DROPPED, _BETWEEN_DIGITS, _OTHER = range(4)
_PUNCTUATION = "，。！？；：（）《》〈〉【】〔〕「」『』“”‘’、…—～· !?;()[]{}\"'`|~@,.:/<>-"
"""Signs that are tried: those that vanish everywhere, and those that stay between digits only."""
_BREAK = ord("\n")

_Codes = NDArray[np.uint32]


def title_keys(texts: Sequence[str]) -> list[str]:
    """Normalize titles to the keys that duplicates share."""
    keys: list[str] = []
    for start in range(0, len(texts), _TOGETHER):
        keys += _keys(texts[start : start + _TOGETHER])
    return keys


def _keys(texts: Sequence[str]) -> list[str]:
    joined = "\n".join(texts) + "\n"
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    ends = codes == _BREAK
    if int(ends.sum()) != len(texts):
        return [title_key(text) for text in texts]
    kinds = _kinds()[np.minimum(codes, 0xFFFF)]
    kinds[ends] = _KEPT
    digits = (codes >= ord("0")) & (codes <= ord("9"))
    beside = np.zeros(len(codes), dtype=bool)
    beside[1:] |= digits[:-1]
    beside[:-1] |= digits[1:]
    others = (kinds == _OTHER) | ((kinds == _BETWEEN_DIGITS) & beside)
    line = np.cumsum(ends) - ends
    upper = (codes >= ord("A")) & (codes <= ord("Z"))
    kept = (codes + upper * np.uint32(32))[(kinds == _KEPT) & ~others]
    keys = kept.astype("<u4").tobytes().decode("utf-32-le").split("\n")[:-1]
    for place in np.unique(line[others]).tolist():
        keys[place] = title_key(texts[place])
    return [key or title_key(text) for key, text in zip(keys, texts, strict=True)]


@cache
def _kinds() -> NDArray[np.uint8]:
    """Classify the characters of the first plane by what `title_key` does with them."""
    kinds = np.full(0x10000, _OTHER, dtype=np.uint8)
    for first, last in (("一", "\u9fff"), ("0", "9"), ("a", "z"), ("A", "Z")):
        kinds[ord(first) : ord(last) + 1] = _KEPT
    for sign in _PUNCTUATION:
        if all(title_key(f"{side}{sign}{side}") == 2 * side for side in "中a"):
            always = title_key(f"1{sign}1") == "11"
            kinds[ord(sign)] = _DROPPED if always else _BETWEEN_DIGITS
    return kinds
