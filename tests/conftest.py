"""What every test needs: no environment of the user's, and one language."""

import pytest

from studio.language import current_language


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """STUDIO_* of the shell must not steer tests, and a test's language must not leak."""
    for name in ("STUDIO_HOME", "STUDIO_LANG", "NEWS_STUDIO_API_KEY", "NEWS_STUDIO_TEACHER_KEY"):
        monkeypatch.delenv(name, raising=False)
    # A process of its own, which would outlive the test; the tests about it start it themselves.
    monkeypatch.setenv("STUDIO_SUGGESTER", "0")
    current_language.set("zh")
