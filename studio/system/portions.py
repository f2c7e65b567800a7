"""Take a stream in portions, so that only one of them is in memory."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def portions(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Split a stream into lists of `size`; the last one may be shorter."""
    remaining = iter(items)
    while portion := list(islice(remaining, size)):
        yield portion
