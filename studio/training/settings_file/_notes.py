"""Record for each key whether it was accepted, translated, ignored or refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

KeyOutcome = Literal["taken", "translated", "default", "ignored", "not_done", "refused", "unknown"]
"""taken: accepted as it is. translated: same meaning, other name or value. default: not in the
file, but its tool assumes it. ignored: without effect on what is learned here. not_done: would
change something there that is not done here, and the training goes on without it. refused: has an
effect that is not supported here. unknown: no setting of either tool."""
Origin = Literal["studio", "llamafactory", "llamaboard"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """One key of the file: its value there, the outcome, the reason, and the fields that it sets here."""

    key: str
    value: Any
    outcome: KeyOutcome
    text: str = ""
    sets: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingsFile:
    """The settings of a file as fields of TrainSpec, and a note on every key.

    Model, data and adapter keep in `values` the names of the file; whether they exist here
    is not checked.
    """

    origin: Origin
    values: Mapping[str, Any]
    notes: tuple[Note, ...]

    def noted(self, *outcomes: KeyOutcome) -> list[Note]:
        """Select the notes with these outcomes, in the order of the file."""
        return [note for note in self.notes if note.outcome in outcomes]
