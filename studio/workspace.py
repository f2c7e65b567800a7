"""The workspace: one folder that holds all data of a studio.

    studio.db  datasets/<name>/v<k>/  runs/<id>/  models/  exports/
    backups/   serving/  previews/  quality/  suggesting/  probes/

An older studio left a queue.db, which nothing reads any more. This module knows the names of the
folders, not what is in them.
"""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from studio.errors import InputError
from studio.language import Language, say
from studio.samples.scheme import BUNDLED_DATA
from studio.store import BACKUPS

BUNDLED_NAME = "bundled"
"""The name of the bundled model and of the bundled samples."""
BUNDLED_MODEL = BUNDLED_DATA / "base_model"
BUNDLED_DATASET = BUNDLED_DATA / "news_300"
BUNDLED_UNDECIDED = BUNDLED_DATA / "to_label_50"
SAMPLE_RUN = BUNDLED_DATA / "sample_run"
WEB_LOG = "web.log"
"""The log of the web app, at the top of a workspace."""


PARTS = (
    "datasets", "runs", "models", "serving", "previews", "quality", "suggesting", "probes",
)  # fmt: skip


class Settings(BaseSettings):
    """Settings from the environment, each as STUDIO_ and its name in capitals, such as STUDIO_HOME.

    `suggester`: whether the Label page may start the background process that trains beside it.
    """

    model_config = SettingsConfigDict(env_prefix="STUDIO_", extra="ignore")

    home: Path = Path("workspace")
    lang: Language = "zh"
    offline: bool = False
    """No network: downloads fail at once."""
    hub_endpoint: str | None = None
    """Address of a mirror of ModelScope; None: the hub itself."""
    suggester: bool = True
    nightly_copies: int = 7
    """How many nightly copies of the database remain in `backups/`; 0: none is made."""


def current_settings() -> Settings:
    """Read the settings; cached until the environment changes, since every press asks for them."""
    return _settings(*(os.environ.get(f"STUDIO_{name.upper()}") for name in Settings.model_fields))


@lru_cache(maxsize=8)
def _settings(*environment: str | None) -> Settings:
    return Settings()


@dataclass(frozen=True)
class Workspace:
    """The folders and files of one studio; `home` is absolute."""

    home: Path

    @property
    def exports(self) -> Path:
        """Exports that were started on the Export page; made when the first one is written."""
        return self.home / "exports"

    @property
    def database(self) -> Path:
        """SQLite file of titles, annotations, decisions and dataset versions."""
        return self.home / "studio.db"

    @property
    def teacher_key(self) -> Path:
        """The API key of the teacher's endpoint, if one was entered; readable by its owner alone."""
        return self.home / "teacher.key"

    @property
    def datasets(self) -> Path:
        """Frozen dataset versions: datasets/<name>/v<k>/."""
        return self.home / "datasets"

    @property
    def runs(self) -> Path:
        """Run folders: runs/<id>/."""
        return self.home / "runs"

    @property
    def models(self) -> Path:
        """Base models that were copied or downloaded."""
        return self.home / "models"

    @property
    def previews(self) -> Path:
        """One folder for each token preview of a training; safe to delete."""
        return self.home / "previews"

    @property
    def quality(self) -> Path:
        """The last quality scan and the progress of a running one; safe to delete."""
        return self.home / "quality"

    @property
    def suggesting(self) -> Path:
        """Lock, log and state of the process that trains beside the annotators; safe to delete."""
        return self.home / "suggesting"

    @property
    def probes(self) -> Path:
        """Answers of base models to the forgetting probe; safe to delete."""
        return self.home / "probes"

    @property
    def backups(self) -> Path:
        """Copies of the database that the studio makes by itself; made with the first of them."""
        return self.home / BACKUPS

    @property
    def serving(self) -> Path:
        """One folder for each model server."""
        return self.home / "serving"


def open_workspace(home: Path | None = None) -> Workspace:
    """Open the workspace at `home` (default: STUDIO_HOME), creating its folders if needed.

    Raises:
        InputError: the folder cannot be made or written.
    """
    folder = (home or current_settings().home).expanduser().absolute()
    workspace = Workspace(home=folder)
    try:
        # Titles and names are nobody else's business; who shares a workspace sets its mode themselves.
        # Asked first: every press opens the workspace, and to make what is there costs an exception.
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in PARTS:
            if not (path := folder / part).is_dir():
                path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            say(
                f"无法建立工作区 {folder}：{error.strerror}。",
                f"Cannot make the workspace {folder}: {error.strerror}.",
            ),
            remedy=say(
                "请用 --home 或 STUDIO_HOME 指定一个可写的文件夹。",
                "Name a writable folder with --home or STUDIO_HOME.",
            ),
        ) from error
    return workspace
