"""The workspace: one folder that holds everything a studio knows.

    studio.db  datasets/<name>/v<k>/  runs/<id>/  models/  exports/
    backups/   serving/  previews/  quality/  suggesting/

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

BUNDLED_NAME = "bundled"
"""What people call the bundled model and the bundled samples."""
BUNDLED_MODEL = BUNDLED_DATA / "base_model"
BUNDLED_DATASET = BUNDLED_DATA / "news_300"
SAMPLE_RUN = BUNDLED_DATA / "sample_run"


PARTS = (
    "datasets", "runs", "models", "serving", "previews", "quality", "suggesting",
)  # fmt: skip


class Settings(BaseSettings):
    """Read from the environment: STUDIO_HOME, STUDIO_LANG, STUDIO_SUGGESTER, STUDIO_OFFLINE, STUDIO_HUB_ENDPOINT.

    `suggester`: whether the Label page may start the process that trains beside it.
    """

    model_config = SettingsConfigDict(env_prefix="STUDIO_", extra="ignore")

    home: Path = Path("workspace")
    lang: Language = "zh"
    offline: bool = False
    """No network: downloads say so at once."""
    hub_endpoint: str | None = None
    """Address of a mirror of ModelScope; None: the hub itself."""
    suggester: bool = True


def current_settings() -> Settings:
    """The settings; read anew only when the environment says something else, since every press asks."""
    return _settings(*(os.environ.get(f"STUDIO_{name.upper()}") for name in Settings.model_fields))


@lru_cache(maxsize=8)
def _settings(*environment: str | None) -> Settings:
    return Settings()


@dataclass(frozen=True)
class Workspace:
    """The folders and files of one studio; `home` is absolute."""

    home: Path

    @property
    def database(self) -> Path:
        """SQLite file of titles, annotations, decisions and dataset versions."""
        return self.home / "studio.db"

    @property
    def teacher_key(self) -> Path:
        """The key of the teacher's endpoint, if one was entered; for its owner's eyes only."""
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
        """One folder for each question what a training would see; safe to delete."""
        return self.home / "previews"

    @property
    def quality(self) -> Path:
        """The last quality scan and how far the next one is; safe to delete."""
        return self.home / "quality"

    @property
    def suggesting(self) -> Path:
        """What the model beside the annotators did last; safe to delete."""
        return self.home / "suggesting"

    @property
    def serving(self) -> Path:
        """One folder for each model server."""
        return self.home / "serving"


def open_workspace(home: Path | None = None) -> Workspace:
    """The workspace at `home` (default: STUDIO_HOME), its folders made if needed.

    Raises:
        InputError: the folder cannot be made or written.
    """
    folder = (home or current_settings().home).expanduser().absolute()
    workspace = Workspace(home=folder)
    try:
        for part in PARTS:
            (folder / part).mkdir(parents=True, exist_ok=True)
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
