"""Find the released run."""

from studio import runs
from studio.errors import InputError
from studio.releases.records import current_release
from studio.runs import Run
from studio.workspace import Workspace


def released_run(workspace: Workspace) -> Run | None:
    """Return the run whose checkpoint is released now; None where nothing is, or its folder is gone.

    Raises:
        StudioError: the releases cannot be read.
    """
    current = current_release(workspace)
    if current is None:
        return None
    try:
        return runs.get_run(workspace, current.release.run)
    except InputError:
        return None
