"""Answer a finding: keep the label, relabel, merge near duplicates, dismiss.

Answers are stored under the decisions that the finding is about, so a finding stays
answered until one of its titles is decided anew. Everything is appended. Knows no page.
"""

from collections.abc import Iterable

from studio.annotation import annotations
from studio.corpus.titles import Title, get_title
from studio.errors import StalePress
from studio.language import say
from studio.messages import message, stored
from studio.quality.findings import Finding, FindingAnswer
from studio.store import Store, writing
from studio.team.rights import require_right


def accept(db: Store, finding: Finding, *, author: str) -> None:
    """Keep the labels: they are right as they are.

    Raises:
        StalePress: a title was decided anew since the scan; nothing is written.
    """
    _answer(db, finding, "right", author)


def dismiss(db: Store, finding: Finding, *, author: str) -> None:
    """Dismiss the finding, without confirming the labels.

    Raises:
        StalePress: a title was decided anew since the scan; nothing is written.
    """
    _answer(db, finding, "dismiss", author)


def relabel(db: Store, finding: Finding, category: str, *, author: str) -> int:
    """Relabel every title of the finding with one category; return how many changed.

    Raises:
        StalePress: a title was decided anew since the scan; nothing is written.
    """
    with writing(db):
        changed = [title for title in _answer(db, finding, "relabel", author) if title.category != category]
        for title in changed:
            annotations.annotate(db, title.id, category=category, author=author, seen_revision=title.revision)
    return len(changed)


def merge(db: Store, finding: Finding, keep: int, *, author: str) -> int:
    """Merge a near-duplicate group: keep one title and skip the others; return how many are skipped.

    Raises:
        StalePress: a title was decided anew since the scan; nothing is written.
    """
    assert keep in finding.titles, (keep, finding.titles)
    with writing(db):
        titles = _answer(db, finding, "merge", author)
        kept = next(title for title in titles if title.id == keep)
        reason = stored(message("near_copy_of", title=kept.text))
        others = [title for title in titles if title.id != keep]
        for title in others:
            annotations.skip(db, title.id, reason=reason, author=author, seen_revision=title.revision)
    return len(others)


def best_to_keep(titles: Iterable[Title]) -> Title:
    """Suggest the copy to keep in a merge: one with a chain, then the one that was imported first."""
    return min(titles, key=lambda title: (title.chain is None, title.id))


def _answer(db: Store, finding: Finding, answer: FindingAnswer, author: str) -> list[Title]:
    """Store the answer, and return the current titles.

    Raises:
        StalePress: a title was decided anew since the scan; nothing is written.
    """
    require_right("answer_findings", db, author)
    with writing(db):
        titles = [get_title(db, title_id) for title_id in finding.titles]
        for title, decision_id in zip(titles, finding.decisions, strict=True):
            if title.decision_id != decision_id or title.status != "decided":
                raise StalePress(
                    say(
                        f"标题“{title.text}”在扫描之后已有改动，这次按键没有生效。",
                        f"The title “{title.text}” was changed after the scan; the press did nothing.",
                    ),
                    remedy=say("请看下一条，或重新扫描。", "Go on with the next one, or scan again."),
                )
        db.execute(
            "insert into quality_verdicts (finding, verdict, author) values (?, ?, ?)",
            [finding.key, answer, author],
        )
    return titles
