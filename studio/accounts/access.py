"""Decide how a studio is entered: freely, by a link with a token, or by accounts.

    open       started by a developer, on this computer alone
    token      `news-studio up`: whoever has the link that it prints, as one person's own notebook server
    accounts   `news-studio up --accounts`, and always where other computers can reach it

The web process learns it from its environment.
"""

import hmac
import os
import secrets
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Literal, get_args

from studio.workspace import Workspace

Access = Literal["open", "token", "accounts"]
ACCESS_VARIABLE = "NEWS_STUDIO_ACCESS"
TOKEN_FILE = "access.key"


def access_mode() -> Access:
    """Return how this process is entered; a value that nobody knows closes it to all but accounts."""
    said = os.environ.get(ACCESS_VARIABLE, "open")
    return next((each for each in get_args(Access) if each == said), "accounts")


def access_token(workspace: Workspace) -> str:
    """Return the token of the workspace's link, readable by its owner alone; made with the first call."""
    path = token_path(workspace)
    if not path.exists():
        opened, draft = tempfile.mkstemp(prefix=f".{TOKEN_FILE}.", suffix=".part", dir=workspace.home)
        with os.fdopen(opened, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
        with suppress(FileExistsError):  # the first of two that start at once keeps its token
            path.hardlink_to(draft)
        Path(draft).unlink()
    return path.read_text(encoding="ascii").strip()


def token_path(workspace: Workspace) -> Path:
    """Return the file of the token; who deletes it makes every old link and cookie worthless."""
    return workspace.home / TOKEN_FILE


def is_token(workspace: Workspace, said: str) -> bool:
    """Compare a token in constant time."""
    return hmac.compare_digest(said.encode("utf-8", "surrogateescape"), access_token(workspace).encode())


def cookie_of_token(workspace: Workspace) -> str:
    """Return what the cookie of somebody with the link holds: it proves the token without being it."""
    return sha256(b"cookie:" + access_token(workspace).encode()).hexdigest()


def is_cookie_of_token(workspace: Workspace, said: str) -> bool:
    """Compare a cookie in constant time."""
    return hmac.compare_digest(said.encode("utf-8", "surrogateescape"), cookie_of_token(workspace).encode())


def cookie_name(port: int) -> str:
    """Return the name of the cookie of the studio at a port: a browser keeps one jar for all of a host."""
    return f"news_studio_{port}"
