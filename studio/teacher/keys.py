"""Save and remove the keys of teachers' endpoints, for whoever may."""

from studio.teacher import key
from studio.team.rights import require_right
from studio.workspace import Workspace


def save_key(workspace: Workspace, typed: str, base_url: str) -> None:
    """Store a key for the address that it is entered for.

    Raises:
        NotAllowed: the person's role does not cover it.
        InputError: no address, or no key.
    """
    require_right("teacher_drafts")
    key.write_key(workspace.teacher_key, typed, base_url)


def remove_key(workspace: Workspace, base_url: str) -> None:
    """Delete the stored key of an address, if there is one.

    Raises:
        NotAllowed: the person's role does not cover it.
    """
    require_right("teacher_drafts")
    key.forget_key(workspace.teacher_key, base_url)
