"""Allow or refuse pickle weights and custom code, one model at a time.

Either can do anything that the account of the studio can. What is allowed, by whom and
since when is part of the model settings.
"""

from datetime import datetime
from pathlib import Path

from studio.modelfiles.settings import Allowed, ModelSettings, change_model_settings
from studio.store import Store
from studio.team.rights import require_right
from studio.workspace import Workspace


def allow_unsafe(db: Store, workspace: Workspace, folder: Path, *, by: str) -> None:
    """Allow one model to load pickle weights and run its own code.

    Raises:
        NotAllowed: `by` is no admin.
    """
    require_right("allow_unsafe_models", db, by)
    allowed = Allowed(path=folder.absolute(), by=by, at=datetime.now().astimezone())
    change_model_settings(workspace, lambda now: {"allowed": (*_others(now, folder), allowed)})


def withdraw_unsafe(db: Store, workspace: Workspace, folder: Path, *, by: str) -> None:
    """Withdraw the permission of a model.

    Raises:
        NotAllowed: `by` is no admin.
    """
    require_right("allow_unsafe_models", db, by)
    change_model_settings(workspace, lambda now: {"allowed": _others(now, folder)})


def _others(now: ModelSettings, folder: Path) -> tuple[Allowed, ...]:
    return tuple(each for each in now.allowed if each.path != folder.absolute())
