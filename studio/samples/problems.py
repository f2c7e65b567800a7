"""Define a problem of a row: one shape for files, store, page and command."""

from dataclasses import dataclass
from typing import Any, Literal

from studio.messages import Message

Severity = Literal["error", "warning", "hint"]
"""error: the row cannot be used as it is. warning: it can, and probably should not.
hint: worth a look."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One problem of one row, or of a whole file where `row` is None.

    Rows count from 1: elements of a JSON list, data rows of a table, lines of a text
    or JSON Lines file. `repair` is the text that would be safe in place of `found`;
    None where only a person can decide. `proposal` is what was probably meant, for a
    person to confirm, never applied. `title_id` is set for rows of the store. `reason`
    is the message by code, for problems that the store may have to keep.
    """

    file: str
    row: int | None
    code: str
    severity: Severity
    message: str
    repair: str | None = None
    found: str | None = None
    proposal: str | None = None
    title_id: int | None = None
    reason: Message | None = None

    def to_json(self) -> dict[str, Any]:
        """Build the entry of `news-studio check --json`; `found`, `proposal`, `title_id` only where known."""
        entry: dict[str, Any] = {
            "file": self.file,
            "row": self.row,
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "repair": self.repair,
        }
        if self.found is not None:
            entry["found"] = self.found
        if self.proposal is not None:
            entry["proposal"] = self.proposal
        if self.title_id is not None:
            entry["title_id"] = self.title_id
        return entry


def remark(
    file: str,
    code: str,
    severity: Severity,
    message: str,
    *,
    repair: str | None = None,
    found: str | None = None,
    proposal: str | None = None,
) -> Problem:
    """Build a problem of a whole file."""
    return Problem(
        file=file,
        row=None,
        code=code,
        severity=severity,
        message=message,
        repair=repair,
        found=found,
        proposal=proposal,
    )
