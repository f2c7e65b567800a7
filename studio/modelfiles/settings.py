"""Read and write the model settings: search folders, hub mirror, unsafe models allowed, the default.

One small file of the workspace, `models.json`, so that the job process and the command
line read it without a database. This module looks into no model folder.
"""

import logging
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from studio.errors import InputError, UnreadableFile
from studio.language import say
from studio.modelfiles.folder_check import UNSAFE_VARIABLE
from studio.system.atomic import in_one_step
from studio.system.documents import one_line, read_whole
from studio.team.rights import require_right
from studio.workspace import Settings, Workspace

log = logging.getLogger(__name__)


class Allowed(BaseModel):
    """One model whose pickle weights and own code may be loaded, who allowed it and when."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    path: Path
    by: str
    at: datetime


class ModelSettings(BaseModel):
    """The model settings of a workspace."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    folders: tuple[Path, ...] = Field((), description="Folders of the user's own in which models are.")
    endpoint: str | None = Field(
        None, description="Address of a mirror of ModelScope; empty: the hub itself."
    )
    offline: bool = Field(False, description="This machine has no network: downloads fail at once.")
    allowed: tuple[Allowed, ...] = Field((), description="Models whose pickle weights and code are allowed.")
    default_model: str | None = Field(
        None,
        description="Run or base model that answers by default; empty: the best measured run.",
    )


def settings_file(workspace: Workspace) -> Path:
    """Return the path of the settings."""
    return workspace.home / "models.json"


def load_model_settings(workspace: Workspace) -> ModelSettings:
    """Load the current settings; the defaults without a file.

    Raises:
        UnreadableFile: the file is not what the studio writes.
    """
    path = settings_file(workspace)
    try:
        return ModelSettings.model_validate_json(read_whole(path))
    except FileNotFoundError:
        return ModelSettings()
    except (OSError, ValueError) as error:
        why = one_line(error)
        raise UnreadableFile(
            say(f"模型设置 {path} 无法读取：{why}", f"The model settings {path} cannot be read: {why}"),
            remedy=say(
                "请改正或删除这个文件；删除后恢复默认设置，任何模型都不再被特别允许。",
                "Fix or delete the file; without it the defaults apply and no model is specially allowed.",
            ),
        ) from error


def is_offline(workspace: Workspace) -> bool:
    """Return whether downloads are off, by STUDIO_OFFLINE or by the workspace."""
    return Settings().offline or load_model_settings(workspace).offline


def hub_endpoint(workspace: Workspace) -> str | None:
    """Return the hub mirror: the workspace's, else STUDIO_HUB_ENDPOINT; None: the hub itself."""
    return load_model_settings(workspace).endpoint or Settings().hub_endpoint


def add_folder(workspace: Workspace, text: str) -> Path:
    """Add a folder to search for models; the same one is kept once.

    Raises:
        InputError: there is no such folder.
    """
    require_right("choose_model_folders")
    folder = Path(text.strip().strip("\"'")).expanduser().absolute()
    if not text.strip() or not folder.is_dir():
        raise InputError(
            say(f"没有文件夹 {folder}。", f"There is no folder {folder}.")
            if text.strip()
            else say("没有写文件夹。", "No folder was named."),
            remedy=say(
                "请写运行工作室的这台机器上的路径。", "Name a path on the machine that runs the studio."
            ),
        )
    change_model_settings(workspace, lambda now: {"folders": tuple(dict.fromkeys((*now.folders, folder)))})
    return folder


def remove_folder(workspace: Workspace, folder: Path) -> None:
    """Remove a folder from the search; the folder itself stays."""
    require_right("choose_model_folders")
    change_model_settings(
        workspace, lambda now: {"folders": tuple(each for each in now.folders if each != folder)}
    )


def set_hub(workspace: Workspace, *, endpoint: str | None, offline: bool) -> None:
    """Set the hub mirror, and whether downloads are off.

    Raises:
        InputError: the mirror's address cannot be used.
    """
    require_right("set_hub")
    address = checked_endpoint(endpoint)
    change_model_settings(workspace, lambda now: {"endpoint": address, "offline": offline})


def checked_endpoint(text: str | None) -> str | None:
    """Validate and normalize a mirror's address: no trailing slash; None for none.

    Raises:
        InputError: no http(s) address, or one with a user, password or query.
    """
    address = (text or "").strip()
    if not address:
        return None
    parts = urlsplit(address if "://" in address else f"https://{address}")
    is_bare = not (parts.username or parts.password or parts.query or parts.fragment)
    if parts.scheme in ("http", "https") and parts.hostname and is_bare:
        return parts.geturl().rstrip("/")
    raise InputError(
        say("镜像地址不可用。", "The mirror's address cannot be used."),
        remedy=say(
            "请写 https://主机 这样的地址，不带用户名、密码和参数；留空则用 ModelScope。",
            "Give an address such as https://host, without user, password or parameters;"
            " empty means ModelScope.",
        ),
    )


def unsafe_environment(workspace: Workspace) -> dict[str, str]:
    """Build the worker's environment variable; always set, so that nothing a shell has exported counts.

    Settings that cannot be read allow nothing.
    """
    try:
        allowed = load_model_settings(workspace).allowed
    except UnreadableFile as error:
        log.warning("%s", error)
        allowed = ()
    return {UNSAFE_VARIABLE: os.pathsep.join(str(each.path) for each in allowed)}


def change_model_settings(
    workspace: Workspace, changes: Callable[[ModelSettings], dict[str, object]]
) -> None:
    """Update some settings; the caller checks who may."""
    now = load_model_settings(workspace)
    with in_one_step(settings_file(workspace)) as draft:
        draft.write_text(
            now.model_copy(update=changes(now)).model_dump_json(indent=2) + "\n", encoding="utf-8"
        )
