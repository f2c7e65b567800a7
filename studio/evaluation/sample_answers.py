"""Compare what people answered to the bundled titles with our answers, which are in a file of their own."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from studio.corpus.titles import find_title
from studio.store import Store
from studio.workspace import BUNDLED_UNDECIDED


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A title that people and we put into different categories; `why` is our reason."""

    title_id: int
    title: str
    theirs: str
    ours: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """How many of the bundled titles are decided, with how many we agree, and the rest."""

    titles: int
    decided: int
    agreed: int
    differences: Sequence[Difference]


def compare_samples(db: Store) -> Comparison | None:
    """Compare the decided ones of the bundled titles; None where they were not imported."""
    answers = json.loads((BUNDLED_UNDECIDED / "answers.json").read_text(encoding="utf-8"))
    found = [(find_title(db, answer["title"]), answer) for answer in answers]
    here = [(title, answer) for title, answer in found if title is not None and title.status != "trashed"]
    if not here:
        return None
    differences, agreed = [], 0
    for title, answer in here:
        if title.status != "decided" or title.category is None:
            continue
        if title.category == answer["category"]:
            agreed += 1
        else:
            differences.append(
                Difference(
                    title_id=title.id,
                    title=title.text,
                    theirs=title.category,
                    ours=answer["category"],
                    why=answer["why"],
                )
            )
    return Comparison(
        titles=len(here), decided=agreed + len(differences), agreed=agreed, differences=tuple(differences)
    )
