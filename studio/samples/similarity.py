"""Find near duplicates: MinHash bands, a character bitmap, edit similarity.

Every title gets a signature: MinHash bands (LSH), of which near duplicates share at least
one almost surely, and a character bitmap, which rejects most false candidates without
loading the text. Only what passes both is measured. This module knows no store and no
title's number.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from studio.samples.title_keys import title_keys
from studio.samples.title_text import title_key

SIMILAR = 85.0
"""Two titles of at least this similarity are near duplicates."""
LARGEST_NEAR_GROUP = 20
"""A larger near-duplicate group is a pattern (第 1 条…, 第 2 条…), not one event: its titles are drawn one
by one."""

BANDS = 16
"""Bands of two hashes each: of pairs that share 45 % of their 2-grams, 97 % collide in one."""
MARKS = 4
"""32-bit words of the character bitmap behind the bands, 128 bits in all."""
LENGTH = BANDS + MARKS
"""Index of the last word of a signature: the number of characters of the title's key."""

WINDOW = 12
"""Neighbours in a bucket that a title is compared with. A bucket of that size is compared completely;
in a larger one the members are sorted by their next band, which puts the likeliest side by side."""
ENOUGH = 20
"""Group size above which no more pairs inside the group are compared: thousands of titles that share a
formula become one group, without all their pairs."""

_GRAM = np.uint32(0x01000193)
_PORTION = 50_000
"""Titles whose 2-grams are in memory at once, about 70 MiB."""

Words = NDArray[np.uint32]
Positions = NDArray[np.int64]
Similarities = NDArray[np.float64]
Flags = NDArray[np.bool_]
ReadKeys = Callable[[Positions], Sequence[str]]
"""Loads the keys of the titles at some positions, in that order."""


def similarity(one: str, other: str) -> float:
    """Measure the edit similarity of two titles, 0 to 100, apart from what `title_key` ignores.

    The share of characters that stay when one is edited into the other; 0 for an empty text.
    """
    keys = title_key(one), title_key(other)
    return fuzz.ratio(*keys) if all(keys) else 0.0


def near_pairs(texts: Sequence[str], threshold: float = SIMILAR) -> Iterator[tuple[int, int, float]]:
    """Find the pairs of positions whose similarity reaches the threshold, with it, in order.

    There are no false positives. Of real titles at 85 to 90, 3 pairs in 1,000 are missed, more below that;
    of a group of more than ENOUGH, there are enough to connect it, and some more.
    """
    keys = title_keys(texts)
    left, right, scores = pairs_among(key_signatures(keys), _reader(keys), threshold)
    yield from zip(left.tolist(), right.tolist(), scores.tolist(), strict=True)


def group_near(texts: Sequence[str], threshold: float = SIMILAR) -> list[list[int]]:
    """Group near duplicates: two or more positions connected by near pairs, ordered by first members."""
    keys = title_keys(texts)
    left, right, _ = pairs_among(key_signatures(keys), _reader(keys), threshold)
    return connected_groups(len(keys), left, right)


def _reader(keys: Sequence[str]) -> ReadKeys:
    held = np.array(keys, dtype=object)
    return lambda positions: held[positions].tolist()


def connected_groups(count: int, left: Positions, right: Positions) -> list[list[int]]:
    """Compute the connected components of `count` titles under these pairs; ordered by first members."""
    groups = merge_groups(np.arange(count), left, right)
    sizes = np.bincount(groups, minlength=count)
    members = np.flatnonzero(sizes[groups] > 1)
    members = members[np.argsort(groups[members], kind="stable")]
    ends = np.cumsum(sizes[sizes > 1])
    return [group.tolist() for group in np.split(members, ends[:-1])] if len(members) else []


def signatures(texts: Sequence[str]) -> Words:
    """Compute the signatures that `pairs_among` compares, of shape (texts, BANDS + MARKS + 1)."""
    return key_signatures(title_keys(texts))


def key_signatures(keys: Sequence[str]) -> Words:
    """Compute the signatures of keys that `title_key` made, of shape (keys, BANDS + MARKS + 1)."""
    signed = np.zeros((len(keys), LENGTH + 1), dtype=np.uint32)
    for start in range(0, len(keys), _PORTION):
        _sign(keys[start : start + _PORTION], signed[start : start + _PORTION])
    return signed


def _sign(keys: Sequence[str], signed: Words) -> None:
    """Fill the rows of a portion. Zeros pad both ends of a title, so that its ends make 2-grams, too."""
    lengths = np.fromiter(map(len, keys), dtype=np.int64, count=len(keys))
    joined = "\0" + "\0".join(keys) + "\0"
    characters = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    starts = np.concatenate(([0], np.cumsum(lengths + 1)[:-1]))
    grams = _mixed(characters[:-1] * _GRAM + characters[1:])
    for band in range(BANDS):
        one, other = (
            np.minimum.reduceat(grams * factor, starts) for factor in _FACTORS[2 * band : 2 * band + 2]
        )
        signed[:, band] = _mixed(one * _GRAM + other)
    bits = _mixed(characters[:-1]) % np.uint32(32 * MARKS)
    for word in range(MARKS):
        marks = np.where(bits // 32 == word, np.uint32(1) << (bits % np.uint32(32)), np.uint32(0))
        marks[starts] = 0  # the zero before the title
        signed[:, BANDS + word] = np.bitwise_or.reduceat(marks, starts)
    signed[:, LENGTH] = lengths


def _mixed(words: Words) -> Words:
    """Mix the bits (MurmurHash3's finalizer), since neighbouring characters have neighbouring codes."""
    words = (words ^ (words >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    words = (words ^ (words >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return words ^ (words >> np.uint32(16))


_FACTORS = _mixed(np.arange(1, 2 * BANDS + 1, dtype=np.uint32)) | np.uint32(1)
"""Odd, so that each permutes all hashes; the same everywhere and always, since signatures are stored."""


def pairs_among(
    signed: Words, read_keys: ReadKeys, threshold: float = SIMILAR, *, since: int = 0
) -> tuple[Positions, Positions, Similarities]:
    """Find near pairs; returns three arrays: first position, second position, similarity; in order.

    Keys are read only where signatures collide. With `since`, the second position of a pair
    is that or later: the pairs of new titles, in a store that has the pairs of its own.
    """
    count = max(1, len(signed))
    found, scores = np.zeros(0, dtype=np.int64), np.zeros(0)
    groups = np.arange(len(signed))
    for band in range(BANDS):
        new_codes, new_scores = [], []
        for left, right in _candidates(signed, band, since):
            if not len(left):
                continue
            kept = _is_worth_comparing(groups, left, right)
            kept &= _passes_bitmap(signed, left, right, threshold)
            codes = left[kept] * count + right[kept]
            codes = codes[~_is_among(codes, found)]
            left, right = np.divmod(codes, count)
            measured = _measure(read_keys, left, right, threshold)
            near = measured >= threshold
            groups = merge_groups(groups, left[near], right[near])
            new_codes.append(codes[near])
            new_scores.append(measured[near])
        found = np.concatenate((found, *new_codes))
        order = np.argsort(found)
        found, scores = found[order], np.concatenate((scores, *new_scores))[order]
    left, right = np.divmod(found, count)
    return left, right, scores


def _candidates(signed: Words, band: int, since: int) -> Iterator[tuple[Positions, Positions]]:
    """Generate the pairs that collide in a bucket of one band, smaller position first; each pair once."""
    following = (band + 1) % BANDS
    positions = _in_company(signed[:, band]) if since == 0 else _beside_new(signed[:, band], since)
    values = signed[positions, band]
    order = np.argsort(
        values.astype(np.uint64) << np.uint64(32) | signed[positions, following], kind="stable"
    )
    values, positions = values[order], positions[order]
    alive = np.arange(len(values))
    for step in range(1, WINDOW + 1):
        alive = alive[alive + step < len(values)]
        alive = alive[values[alive] == values[alive + step]]
        one, other = positions[alive], positions[alive + step]
        left, right = np.minimum(one, other), np.maximum(one, other)
        fresh = right >= since
        yield left[fresh], right[fresh]


def _is_worth_comparing(groups: Positions, left: Positions, right: Positions) -> Flags:
    """Compute a mask of the pairs, without those that are in one large group already."""
    sizes = np.bincount(groups, minlength=len(groups))
    kept: Flags = (groups[left] != groups[right]) | (sizes[groups[left]] <= ENOUGH)
    return kept


def _is_among(codes: Positions, found: Positions) -> Flags:
    """Compute a mask of the codes that are in the sorted `found`."""
    if not len(found):
        return np.zeros(len(codes), dtype=np.bool_)
    index = np.searchsorted(found, codes).clip(max=len(found) - 1)
    present: Flags = found[index] == codes
    return present


def merge_groups(groups: Positions, left: Positions, right: Positions) -> Positions:
    """Merge the groups connected by these pairs (union-find); returns each position's first group member.

    In numpy, not by `scipy.sparse.csgraph.connected_components`, as it is called once a band with the groups
    so far: that took seven times as long at a million titles (0.20 against 0.03 s a call), and its import
    adds 27 MiB to the web process.
    """
    groups = groups.copy()
    while len(left):
        one, other = groups[left], groups[right]
        apart = one != other
        left, right, one, other = left[apart], right[apart], one[apart], other[apart]
        np.minimum.at(groups, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(named := groups[groups], groups):
            groups = named
    return groups


def _in_company(values: Words) -> Positions:
    """Select the positions whose value may be another's, too: of most titles it is theirs alone.

    Told by the lower bits of the values, since to count them is quicker than to sort all of them.
    """
    lower = values & np.uint32((1 << min(32, len(values).bit_length() + 2)) - 1)
    positions: Positions = np.flatnonzero(np.bincount(lower)[lower] > 1)
    return positions


def _beside_new(values: Words, since: int) -> Positions:
    """Select the positions in buckets that have a new member."""
    positions: Positions = np.flatnonzero(np.isin(values, values[since:]))
    return positions


def _passes_bitmap(signed: Words, left: Positions, right: Positions, threshold: float) -> Flags:
    """Compute a mask of the pairs whose bitmaps and lengths do not rule the threshold out.

    Of two titles with a and b characters, a similarity s leaves (1 - s)(a + b) that only one of
    them has, and every bit that only one has is such a character.
    """
    marks = slice(BANDS, BANDS + MARKS)
    one, other = signed[left, LENGTH].astype(np.int64), signed[right, LENGTH].astype(np.int64)
    differing = np.bitwise_count(signed[left, marks] ^ signed[right, marks]).sum(axis=1, dtype=np.int64)
    differing = np.maximum(differing, np.abs(one - other))
    allowed = (1 - threshold / 100) * (one + other) + 1e-9
    passed: Flags = (differing <= allowed) & (one > 0) & (other > 0)
    return passed


def _measure(read_keys: ReadKeys, left: Positions, right: Positions, threshold: float) -> Similarities:
    """Measure the similarities of pairs; 0 where the threshold is not reached."""
    if not len(left):
        return np.zeros(0)
    return process.cpdist(
        read_keys(left), read_keys(right), scorer=fuzz.ratio, score_cutoff=threshold, dtype=np.float64
    )
