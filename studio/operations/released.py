"""Find the run of the release in force."""

from studio import runs
from studio.errors import InputError
from studio.releases.records import current_release
from studio.runs import Run
from studio.workspace import Workspace


def released_run(workspace: Workspace) -> Run | None:
    """Return the run whose checkpoint is released now; None: nothing is, or the run was deleted since."""
    found = current_release(workspace)
    if found is None:
        return None
    try:
        return runs.get_run(workspace, found.release.run)
    except InputError:
        return None
