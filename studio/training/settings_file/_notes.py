"""What became of each key of a settings file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

KeyOutcome = Literal["taken", "translated", "default", "ignored", "refused", "unknown"]
"""taken: as it is. translated: same meaning, other name or value. default: not in the file,
but its tool assumes it. ignored: without effect on what is learned here. refused: matters, and
cannot be done here. unknown: no setting of either tool."""
Origin = Literal["studio", "llamafactory", "llamaboard"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """One key of the file: its value there, what became of it, why, and the fields that it sets here."""

    key: str
    value: Any
    outcome: KeyOutcome
    text: str = ""
    sets: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingsFile:
    """The settings of a file in the words of TrainSpec, and a note on every key.

    Model, data and adapter stand in `values` as the file names them; whether there are
    such things here is for others to say.
    """

    origin: Origin
    values: Mapping[str, Any]
    notes: tuple[Note, ...]

    def noted(self, *outcomes: KeyOutcome) -> list[Note]:
        """The notes of these outcomes, in the order of the file."""
        return [note for note in self.notes if note.outcome in outcomes]
