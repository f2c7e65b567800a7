"""Find the released run, where releases are kept; a studio without them has none."""

import importlib
import importlib.util

from studio import runs
from studio.errors import InputError
from studio.runs import Run
from studio.workspace import Workspace

_RECORDS = "studio.releases.records"


def released_run(workspace: Workspace) -> Run | None:
    """Return the run whose checkpoint is released now; None where nothing is.

    Raises:
        StudioError: the releases cannot be read.
    """
    if importlib.util.find_spec("studio.releases") is None:
        return None
    records = importlib.import_module(_RECORDS)
    found = records.find_release(workspace, records.RELEASED)
    if found is None:
        return None
    try:
        return runs.get_run(workspace, found.release.run)
    except InputError:
        return None  # moved to the trash since
