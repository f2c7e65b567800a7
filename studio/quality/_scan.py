"""Scan the decided titles for label errors and near duplicates, in a background process.

Near copies, contradictory labels, doubtful labels and problems of the chains, over all
decided titles; the result is moved into quality/result.json in one step. Reads the
database, writes nothing there, and may be killed at any moment.
"""

import logging
import os
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from studio.corpus.titles import Title, decided_titles
from studio.datasets.freeze_checks import contradictory_near_groups
from studio.datasets.versions import problems_of
from studio.quality import findings as quality
from studio.quality._label_errors import Suspect, find_suspects
from studio.quality.findings import CodeCount, Evidence, Finding, FindingKind, ScanFile, ScanProgress
from studio.samples.problems import Problem
from studio.samples.scheme import Scheme, load_scheme
from studio.samples.similarity import LARGEST_NEAR_GROUP, group_near
from studio.store import Store, open_store
from studio.system.background import parse_arguments
from studio.workspace import Workspace, open_workspace

log = logging.getLogger(__name__)

LISTED = 500
"""Findings of a kind that the result lists; a person decides the first ones first anyway."""
TITLES_OF_CODE = 200
NICE = 10
"""The scan gives way to labelling and training."""


def scan(db: Store, workspace: Workspace, scheme: Scheme) -> ScanFile:
    """Scan every decided title, and write the result into the workspace."""
    started = time.monotonic()
    _report(workspace, ScanProgress(phase="reading"))
    revision = quality.current_revision(db)
    titles = decided_titles(db)
    _report(workspace, ScanProgress(phase="near", total=len(titles)))
    groups = group_near([title.text for title in titles])
    near_groups = [group for group in groups if len(group) <= LARGEST_NEAR_GROUP]
    _report(workspace, ScanProgress(phase="suspects"))
    suspects = find_suspects(
        [title.text for title in titles],
        [title.category or "" for title in titles],
        near_groups,
        limit=LISTED,
        progress=lambda done, total: _report(
            workspace, ScanProgress(phase="suspects", done=done, total=total)
        ),
    )
    _report(workspace, ScanProgress(phase="chains", total=len(titles)))
    problems = _count_codes(problems_of(titles, scheme))
    conflicts, copies = _near_group_findings(titles, near_groups)
    result = ScanFile(
        revision=revision,
        made_at=datetime.now(UTC),
        seconds=round(time.monotonic() - started, 1),
        titles=len(titles),
        findings=(
            *(_suspect_finding(s, titles) for s in suspects.ranked),
            *conflicts[:LISTED],
            *copies[:LISTED],
        ),
        found={"suspect": suspects.found, "conflict": len(conflicts), "near": len(copies)},
        patterns=len(groups) - len(near_groups),
        left_out=suspects.left_out,
        problems=problems,
    )
    _write(quality.result_path(workspace), result)
    return result


def _near_group_findings(
    titles: Sequence[Title], near_groups: Sequence[Sequence[int]]
) -> tuple[list[Finding], list[Finding]]:
    """Make findings of near-duplicate groups: those with contradictory labels, and mere duplicates."""
    by_id = {title.id: title for title in titles}
    grouped = [tuple(titles[index].id for index in near_group) for near_group in near_groups]
    contradictory = contradictory_near_groups(by_id, grouped)
    conflicts = [_finding("conflict", [by_id[title_id] for title_id in ids]) for ids in contradictory]
    in_conflict = {title_id for ids in contradictory for title_id in ids}
    copies = [
        _finding("near", [by_id[title_id] for title_id in ids])
        for ids in grouped
        if not in_conflict & set(ids)
    ]
    return conflicts, copies


def _finding(kind: FindingKind, titles: Sequence[Title], evidence: Evidence | None = None) -> Finding:
    return Finding(
        kind=kind,
        titles=tuple(title.id for title in titles),
        decisions=tuple(title.decision_id for title in titles),
        evidence=evidence,
    )


def _suspect_finding(suspect: Suspect, titles: Sequence[Title]) -> Finding:
    evidence = Evidence(
        given=suspect.given,
        suggested=suspect.suggested,
        margin=suspect.margin,
        right=suspect.right,
        probabilities=suspect.probabilities,
        nearest=tuple((titles[index].id, similarity) for index, similarity in suspect.nearest),
        for_given=suspect.for_given,
        for_suggested=suspect.for_suggested,
    )
    return _finding("suspect", [titles[suspect.index]], evidence)


def _count_codes(problems: Sequence[Problem]) -> dict[str, CodeCount]:
    by_code: dict[str, list[Problem]] = {}
    for problem in problems:
        by_code.setdefault(problem.code, []).append(problem)
    return {
        code: CodeCount(
            severity=group[0].severity,
            count=len(group),
            titles=tuple(p.title_id for p in group[:TITLES_OF_CODE] if p.title_id is not None),
        )
        for code, group in by_code.items()
    }


def _report(workspace: Workspace, progress: ScanProgress) -> None:
    _write(quality.progress_path(workspace), progress)


def _write(path: Path, document: BaseModel) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(document.model_dump_json() + "\n", encoding="utf-8")
    unfinished.replace(path)


def main() -> None:
    """Scan one workspace, unless another scan does."""
    options = parse_arguments("studio.quality._scan", main.__doc__)
    os.nice(NICE)
    workspace = open_workspace(options.home)
    with quality.scan_process(workspace).held(options.lock) as lock:
        if lock is None:
            log.info("a scan of %s runs already", workspace.home)
            return
        with closing(open_store(workspace.database)) as db:
            done = scan(db, workspace, load_scheme())
        log.info("%d titles in %.1f s: %s", done.titles, done.seconds, done.found)


if __name__ == "__main__":
    main()
