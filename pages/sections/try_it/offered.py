"""List the runs that are offered as models: the release first, then earlier ones, then candidates."""

import streamlit as st

from pages.shared.text import run_option
from studio import runs
from studio.errors import StudioError
from studio.language import say
from studio.models.default_model import is_offered
from studio.releases.checkpoints import is_unchanged
from studio.releases.records import Recorded, releases_of
from studio.runs import Run
from studio.workspace import Workspace


def offered_runs(workspace: Workspace) -> list[tuple[Run, str]]:
    """List runs with what they are called; one that only tried something only where the address names it."""
    released = _released(workspace)
    asked = st.query_params.get("run")
    found = [
        run for run in runs.list_runs(workspace) if is_offered(run) or (run.id == asked and _has_model(run))
    ]
    found.sort(key=lambda run: _rank(released.get(run.id)))
    return [(run, _label(run, released.get(run.id))) for run in found]


def _released(workspace: Workspace) -> dict[str, Recorded]:
    """Map runs to their newest release, the one in force before all; none whose checkpoint was changed."""
    known = sorted(releases_of(workspace), key=lambda each: (each.in_force, each.release.number))
    return {each.release.run: each for each in known if is_unchanged(workspace, each.release)}


def _rank(release: Recorded | None) -> tuple[int, int]:
    if release is None:
        return 2, 0
    return (0 if release.in_force else 1), -release.release.number


def _label(run: Run, release: Recorded | None) -> str:
    if release is not None and release.in_force:
        return say("已发布：{name}", "released: {name}", name=release.release.name)
    if release is not None:
        return say("以前发布的：{name}", "earlier release: {name}", name=release.release.name)
    if is_offered(run):
        return say("候选：{name}", "candidate: {name}", name=run_option(run))
    return say("试跑：{name}", "trial run: {name}", name=run_option(run))


def _has_model(run: Run) -> bool:
    if run.spec.kind != "train" or not (run.result and run.result.checkpoint):
        return False
    try:
        runs.trained_model(run)
    except StudioError:
        return False
    return True
