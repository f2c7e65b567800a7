"""Start a scan, and list its open findings.

    quality/  scan.lock (held while a scan runs), progress.json, result.json, scan.log

The scan itself is `python -m studio.quality._scan HOME`, a background process: its
libraries are too heavy for the web app. A finding is open until somebody answers it, or
one of its titles is decided anew. This module knows no classifier.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.corpus.titles import find_title
from studio.samples.problems import Severity
from studio.store import Store
from studio.system.background import Background
from studio.system.jsonl import read_tail
from studio.workspace import Workspace

FindingKind = Literal["suspect", "conflict", "near"]
FindingAnswer = Literal["right", "relabel", "merge", "dismiss"]

CLEAR_MARGIN = 0.5
"""By how much the classifier's own answer must lead the label for the label to be worth a look."""

_PORTION = 500
"""Values in one query."""
_Value = TypeVar("_Value")


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Evidence(_Written):
    """Why a label is doubted; see `studio.quality._label_errors.Suspect`. `nearest` has title ids."""

    given: str
    suggested: str
    margin: float
    right: float
    probabilities: dict[str, float]
    nearest: tuple[tuple[int, float], ...]
    for_given: tuple[str, ...]
    for_suggested: tuple[str, ...]


class Finding(_Written):
    """Something to decide about one title (suspect) or a group of near copies.

    conflict: near copies with different categories. near: near copies with the same one.
    `decisions` are those of `titles` when the scan read them, in the same order.
    """

    kind: FindingKind
    titles: tuple[int, ...]
    decisions: tuple[int, ...]
    evidence: Evidence | None = None

    @property
    def key(self) -> str:
        """Identity of the finding: stable as long as the titles' decisions are."""
        return f"{self.kind}:" + ",".join(map(str, sorted(self.decisions)))

    @property
    def is_clear(self) -> bool:
        """Whether it is worth a look: anything but a label that the classifier hardly contradicts."""
        return self.evidence is None or self.evidence.margin >= CLEAR_MARGIN


class CodeCount(_Written):
    """How often `check` reports a problem code for the decided titles, and some of the titles."""

    severity: Severity
    count: int
    titles: tuple[int, ...] = Field(description="The first of them; empty for what concerns no title.")


class ScanFile(_Written):
    """result.json. `found` counts findings, of which only the first are listed."""

    format_version: Literal[2] = 2
    revision: int = Field(description="The last decision that the scan saw.")
    made_at: datetime
    seconds: float
    titles: int
    findings: tuple[Finding, ...]
    found: dict[FindingKind, int]
    patterns: int = Field(description="Groups of near titles too large to be about one event.")
    left_out: tuple[str, ...] = Field(description="Categories with too few titles for suspects.")
    problems: dict[str, CodeCount]


class ScanProgress(_Written):
    """progress.json: the phase of a running scan, and how far it is."""

    phase: Literal["reading", "near", "suspects", "chains"]
    done: int = 0
    total: int = 0


@dataclass(frozen=True, kw_only=True)
class Scan:
    """The state of a workspace's scans.

    `behind` counts the decisions since the last one; `log` is the tail of the log of a scan
    that left no result.
    """

    last: ScanFile | None
    running: ScanProgress | None
    behind: int
    log: str = ""


def look(db: Store, workspace: Workspace) -> Scan:
    """Read the last scan, and the one that runs."""
    process = scan_process(workspace)
    running = read_progress(workspace) if process.is_alive() else None
    last = _read(result_path(workspace))
    behind = current_revision(db) - last.revision if last else 0
    log = "" if last or running else read_tail(process.log, 3)
    return Scan(last=last, running=running, behind=behind, log=log)


def current_revision(db: Store) -> int:
    """Return the id of the latest decision; an index lookup."""
    return int(db.execute("select coalesce(max(id), 0) from decisions").fetchone()[0])


def start_scan(workspace: Workspace) -> None:
    """Start a scan unless one runs; it outlives whoever calls."""
    if scan_process(workspace).start():
        progress_path(workspace).unlink(missing_ok=True)  # of one that was killed


def scan_process(workspace: Workspace) -> Background:
    """Return the process that scans a workspace."""
    folder = workspace.quality
    return Background(
        module="studio.quality._scan",
        home=workspace.home,
        lock=folder / "scan.lock",
        log=folder / "scan.log",
    )


def open_findings(db: Store, scan: ScanFile, kind: FindingKind) -> list[Finding]:
    """List the open findings of a kind: unanswered, and their titles' decisions are those of the scan."""
    findings = [finding for finding in scan.findings if finding.kind == kind]
    answered = _answered(db, [finding.key for finding in findings])
    current = _current_decisions(db, {title for finding in findings for title in finding.titles})
    return [
        finding
        for finding in findings
        if finding.key not in answered
        and all(current.get(t) == d for t, d in zip(finding.titles, finding.decisions, strict=True))
    ]


def suspected_titles(db: Store, workspace: Workspace) -> dict[int, str]:
    """Map titles whose label the last scan clearly doubts, unanswered, to what it thinks they are."""
    scan = _read(result_path(workspace))
    findings = open_findings(db, scan, "suspect") if scan else []
    return {
        finding.titles[0]: finding.evidence.suggested
        for finding in findings
        if finding.evidence is not None and finding.is_clear
    }


def deciding_words(db: Store, workspace: Workspace, text: str, category: str) -> tuple[str, ...]:
    """Return what spoke for a category where the last scan doubts this title's label: pairs of characters.

    None for a title that it does not doubt, and for a category other than the label and its rival.
    """
    scan, title = _read(result_path(workspace)), find_title(db, text)
    if scan is None or title is None:
        return ()
    for finding in scan.findings:
        if finding.kind == "suspect" and finding.titles == (title.id,) and finding.evidence:
            evidence = finding.evidence
            words = {evidence.given: evidence.for_given, evidence.suggested: evidence.for_suggested}
            return words.get(category, ())
    return ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SuspectRecord:
    """What people answered to doubted labels so far."""

    right: int
    relabelled: int


def suspect_record(db: Store) -> SuspectRecord:
    """Count how often a doubted label was right and how often it was changed."""
    counts = dict(
        db.execute(
            "select verdict, count(*) from quality_verdicts where finding like 'suspect:%' group by verdict"
        ).fetchall()
    )
    return SuspectRecord(right=counts.get("right", 0), relabelled=counts.get("relabel", 0))


def _answered(db: Store, keys: Sequence[str]) -> set[str]:
    return {
        row[0]
        for part in _portions(keys)
        for row in db.execute(
            f"select finding from quality_verdicts where finding in ({_marks(part)})", part
        ).fetchall()
    }


def _current_decisions(db: Store, titles: Iterable[int]) -> Mapping[int, int]:
    """Query the current decision of each decided title."""
    return {
        title: decision
        for part in _portions(sorted(titles))
        for title, decision in db.execute(
            "select title_id, decision_id from states"
            f" where status = 'decided' and title_id in ({_marks(part)})",
            part,
        ).fetchall()
    }


def _portions(values: Sequence[_Value]) -> list[list[_Value]]:
    return [list(values[start : start + _PORTION]) for start in range(0, len(values), _PORTION)]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def read_progress(workspace: Workspace) -> ScanProgress:
    """Read the progress of the running scan."""
    try:
        return ScanProgress.model_validate_json(progress_path(workspace).read_bytes())
    except (OSError, ValidationError):
        return ScanProgress(phase="reading")


def _read(path: Path) -> ScanFile | None:
    try:
        return ScanFile.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        return None  # of another version of the studio: the next scan replaces it


def age_seconds(scan: ScanFile) -> float:
    """Compute the age of a scan, in seconds."""
    return (datetime.now(UTC) - scan.made_at).total_seconds()


def progress_path(workspace: Workspace) -> Path:
    """Return the path of the running scan's progress."""
    return workspace.quality / "progress.json"


def result_path(workspace: Workspace) -> Path:
    """Return the path of the last scan's result."""
    return workspace.quality / "result.json"
