"""Name whoever is logged in on this computer."""

import getpass


def login_name(otherwise: str) -> str:
    """Return the login name, or `otherwise` where the system has none, as in a container of an unnamed user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return otherwise
