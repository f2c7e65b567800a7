"""What every test needs: no environment of the user's, and one language."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import backend  # noqa: F401  # before torch, whichever test imports that: how its threads wait
from studio.language import current_language
from studio.workspace import Workspace, open_workspace
from tests.support.tiny_runs import TINY, end_everything

# A process of its own, which would outlive the test; the tests about it start it themselves.
# Here, since servers of whole modules start before any fixture of a test.
os.environ["STUDIO_SUGGESTER"] = "0"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files of slow tests first: the last one would leave the other processes idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    trains = {item.path for item in items if item.path.parent.name == "backend"}
    items.sort(key=lambda item: (item.path not in slow, item.path not in trains))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """STUDIO_* of the shell must not steer tests, and a test's language must not leak."""
    for name in (
        "STUDIO_HOME",
        "STUDIO_LANG",
        "STUDIO_OFFLINE",
        "STUDIO_HUB_ENDPOINT",
        "MODELSCOPE_API_TOKEN",
        "MODELSCOPE_ENDPOINT",
        "NEWS_STUDIO_API_KEY",
        "NEWS_STUDIO_TEACHER_KEY",
        "NEWS_STUDIO_TEACHER_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    # The user's own models are none of the tests' business.
    for name in ("MODELSCOPE_CACHE", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, "/var/empty/no-models")
    current_language.set("zh")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """The workspace that the pages open; its jobs are done by the tiny worker."""
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STUDIO_JOBS_WORKER", json.dumps(TINY))
    monkeypatch.delenv("STUDIO_LANG", raising=False)
    place = open_workspace()
    yield place
    end_everything(place)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with random weights, one for each file of tests."""
    # Here, since most test files need no torch.
    from tests.support.tiny_models import save_tiny_model

    folder: Path = save_tiny_model(tmp_path_factory.mktemp("model"))
    return folder
