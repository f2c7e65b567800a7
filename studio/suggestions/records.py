"""Store suggestions and their acceptance rate; start the background process.

Written by a background process (`studio.suggestions._process`), read by the Label and Team pages;
every answer records which suggestion was on screen, so that its effect can be counted.
"""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from studio.contract import Text
from studio.store import Store, writing
from studio.system.background import Background
from studio.team.settings import LabelSettings, load_settings
from studio.workspace import Workspace, current_settings

CLOSE = 0.2
WAKE_SECONDS = 5.0
"""How often a page checks whether the process runs; a press in between does not check."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """The likeliest category of a title and the one behind it, with their probabilities."""

    category: str
    probability: float
    runner_up: str | None
    runner_up_probability: float | None
    source: str

    @property
    def is_close(self) -> bool:
        """Whether the two best are so close that their pair rule should be read."""
        return (
            self.runner_up_probability is not None and self.probability - self.runner_up_probability < CLOSE
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptance:
    """How often people accepted a suggestion; `source` is `tfidf`, `import`, or the id of a run."""

    source: str
    shown: int
    accepted: int

    @property
    def rate(self) -> float:
        """Share of the shown suggestions that were accepted, 0 to 1."""
        return self.accepted / self.shown if self.shown else 0.0


class Standing(BaseModel):
    """state.json: the last round of the process. `problem` is why a tuned model could not be used."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    at: datetime
    seconds: float
    labelled: int
    suggested: int
    placed: int
    source: str
    problem: Text = ""


def suggestion_for(db: Store, title_id: int) -> Suggestion | None:
    """Find the suggestion for a title; None if no model has made one."""
    row = next(
        db.query(
            "select category, probability, runner_up, runner_up_probability, source"
            " from suggestions where title_id = ?",
            [title_id],
        ),
        None,
    )
    return None if row is None else Suggestion(**row)


def write_suggestions(
    db: Store, found: Sequence[tuple[int, Suggestion]], *, keep: Iterable[int] = ()
) -> None:
    """Replace the stored suggestions by these, keeping of the earlier ones those of the titles in `keep`."""
    with writing(db):
        db.execute(
            "delete from suggestions where title_id not in (select value from json_each(?))",
            [json.dumps(list(keep))],
        )
        db.conn.executemany(
            "insert or replace into suggestions"
            " (title_id, category, probability, runner_up, runner_up_probability, source)"
            " values (?, ?, ?, ?, ?, ?)",
            [
                (
                    title_id,
                    each.category,
                    each.probability,
                    each.runner_up,
                    each.runner_up_probability,
                    each.source,
                )
                for title_id, each in found
            ],
        )


def acceptance(db: Store, *, since_day: str = "") -> list[Acceptance]:
    """Count shown and accepted suggestions by source; `since_day` is a day of UTC, `2026-11-25`."""
    rows = db.query(
        "select source, sum(shown) as shown, sum(accepted) as accepted from suggestion_counts where day >= ?"
        " group by source having sum(shown) > 0 order by sum(shown) desc",
        [since_day],
    )
    return [Acceptance(**row) for row in rows]


def wake(db: Store, workspace: Workspace) -> None:
    """Ensure that the background process runs while people label, if the settings need it.

    Cheap enough for every page run: it checks at most once in WAKE_SECONDS.
    """
    now = time.monotonic()
    if now - _asked.get(workspace.home, -WAKE_SECONDS) < WAKE_SECONDS or not current_settings().suggester:
        return
    _asked[workspace.home] = now
    if is_wanted(load_settings(db)):
        suggester_process(workspace).start()


_asked: dict[Path, float] = {}


def is_wanted(settings: LabelSettings) -> bool:
    """Return whether the settings need the model."""
    return settings.suggestions or settings.order == "active"


def suggester_process(workspace: Workspace) -> Background:
    """Return the process beside the annotators; it ends when nobody labels."""
    folder = workspace.suggesting
    return Background(
        module="studio.suggestions._process",
        home=workspace.home,
        lock=folder / "suggester.lock",
        log=folder / "suggester.log",
    )


def standing(workspace: Workspace) -> Standing | None:
    """Read state.json: the last round of the process; None before its first training."""
    try:
        return Standing.model_validate_json(state_path(workspace).read_bytes())
    except (OSError, ValidationError):
        return None


def state_path(workspace: Workspace) -> Path:
    """Return the path of state.json."""
    return workspace.suggesting / "state.json"
