"""Define a record that cannot be read as the rest of its file: kept, told by its row, never guessed at."""

from dataclasses import dataclass
from typing import Any, Literal

from studio.messages import Message


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultyRecord:
    """A record with a fault of form: cells that do not fit the heading, a line that is no JSON.

    `value` is what can be read of it all the same, None where that would be a guess; `found` is its
    text. As an error the row is never decided; as a warning it is told.
    """

    code: str
    reason: Message
    found: str
    value: Any = None
    severity: Literal["error", "warning"] = "error"
