"""Look up the login name of the current user."""

import getpass


def login_name(otherwise: str) -> str:
    """Return the login name, or `otherwise` where the user has none, as in a container with a bare uid."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return otherwise
