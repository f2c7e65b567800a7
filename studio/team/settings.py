"""Load and save the label settings, with author and time of each change.

The texts of the fields are the help of the widgets that set them.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from studio.language import say
from studio.store import Store, writing
from studio.team.rights import require_right

Order = Literal["import", "random", "active"]


class LabelSettings(BaseModel):
    """The label settings, which an admin decides."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    order: Order = Field(
        "import",
        description="import: in file order. random: shuffled. active: what teaches the model most.",
    )
    uncertain_share: float = Field(
        0.7,
        ge=0,
        le=1,
        description="Active order: share of titles about which the model is least sure. High, since a label "
        "teaches most where the model doubts; not all of them, since the most uncertain ones resemble each "
        "other.",
    )
    diverse_share: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Active order: share of titles least like any labelled one, which finds what the model "
        "does not know that it does not know. The rest is drawn at random, so that some of the labelled set "
        "stays a fair sample.",
    )
    suggestions: bool = Field(
        True, description="Show the answer of the model beside you. Off: nobody is influenced by it."
    )
    suggestion_model: str = Field(
        "tfidf", description="tfidf: trained on your own labels as they come in; else the id of a tuned run."
    )
    overlap_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the titles that several people label without seeing each other.",
    )
    overlap_people: int = Field(2, ge=2, le=10, description="How many people label such a title.")
    lease_minutes: float = Field(
        10.0, gt=0, le=1440, description="How long a title on screen is kept from others."
    )
    skip_limit: int = Field(
        3, ge=1, le=10, description="A title is put aside after this many people have skipped it."
    )
    gold_share: float = Field(
        0.05,
        ge=0,
        le=0.5,
        description="Share of gold titles, whose category is known, hidden among the others.",
    )
    review_rate: float = Field(
        0.1, ge=0, le=1, description="Share of the decided titles that a reviewer checks, drawn at random."
    )
    idle_seconds: float = Field(
        120.0, gt=0, description="Longer pauses before an answer count as this long: nobody thinks longer."
    )
    daily_goal: int = Field(
        0, ge=0, le=100_000, description="How many titles a person should answer a day; 0: no goal."
    )
    target_per_category: int = Field(
        40, ge=1, description="How many decided titles each category should reach."
    )

    @model_validator(mode="after")
    def _shares_fit(self) -> "LabelSettings":
        if self.uncertain_share + self.diverse_share > 1:
            raise ValueError(
                say("“不确定”和“多样”的比例合计不能超过 1。", "The two shares together must not exceed 1.")
            )
        return self


def load_settings(db: Store) -> LabelSettings:
    """Load the current settings."""
    row = db.execute("select value from label_settings order by id desc limit 1").fetchone()
    return LabelSettings() if row is None else LabelSettings.model_validate_json(row[0])


def save_settings(db: Store, settings: LabelSettings, *, author: str) -> None:
    """Save new settings, which apply from now on.

    Raises:
        NotAllowed: the author is no admin.
    """
    require_right("change_settings", db, author)
    with writing(db):
        db.execute(
            "insert into label_settings (value, author) values (?, ?)", [settings.model_dump_json(), author]
        )
