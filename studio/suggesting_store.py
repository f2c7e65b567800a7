"""What the model beside the annotators thinks of a waiting title; read by the Label page."""

from dataclasses import dataclass

from studio.store import Store

CLOSE = 0.2


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


def suggestion_for(db: Store, title_id: int) -> Suggestion | None:
    """The suggestion for a title, if a model has made one."""
    row = next(
        db.query(
            "select category, probability, runner_up, runner_up_probability, source from suggestions where title_id = ?",
            [title_id],
        ),
        None,
    )
    return None if row is None else Suggestion(**row)
