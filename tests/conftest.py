"""What every test needs: no environment of the user's, and one language."""

import os

import pytest

from studio.language import current_language

# A process of its own, which would outlive the test; the tests about it start it themselves.
# Here, since servers of whole modules start before any fixture of a test.
os.environ["STUDIO_SUGGESTER"] = "0"


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
    ):
        monkeypatch.delenv(name, raising=False)
    # The user's own models are none of the tests' business.
    for name in ("MODELSCOPE_CACHE", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, "/var/empty/no-models")
    current_language.set("zh")
