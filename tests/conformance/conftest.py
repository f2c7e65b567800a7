"""The other side of each test: a real package in an environment of its own, asked by JSON lines."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.conformance import PROOF

ROOT = Path(__file__).resolve().parent.parent.parent


class Side:
    """A running `<name>_side.py`: `ask` sends one request and waits for its answer."""

    def __init__(self, name: str) -> None:
        python = PROOF / name / "bin" / "python"
        if not python.exists():
            pytest.fail(f"{python} is not there: run `make conformance`.")
        script = Path(__file__).with_name(f"{name}_side.py")
        self.process = subprocess.Popen(
            [str(python), str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )  # fmt: skip

    def ask(self, action: str, **request: Any) -> dict[str, Any]:
        """What the package did; {"died": reason} where it raised."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"action": action, **request}, default=str) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        self.process.communicate()  # the end of its requests is its end
        assert self.process.returncode == 0


def _side(name: str) -> Iterator[Side]:
    side = Side(name)
    yield side
    side.close()


@pytest.fixture(scope="session")
def llamafactory() -> Iterator[Side]:
    """LLaMA-Factory, started once."""
    yield from _side("llamafactory")


@pytest.fixture(scope="session")
def trl() -> Iterator[Side]:
    """datasets and TRL, started once."""
    yield from _side("trl")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-docs", action="store_true", help="Write docs/conformance.md's tables anew.")


@pytest.fixture
def documented(request: pytest.FixtureRequest) -> "Documented":
    """The tables of docs/conformance.md."""
    return Documented(ROOT / "docs" / "conformance.md", rewrite=request.config.getoption("--rewrite-docs"))


class Documented:
    """A document whose tables stand between `<!-- name -->` and `<!-- /name -->`."""

    def __init__(self, path: Path, *, rewrite: bool) -> None:
        self.path = path
        self.rewrite = rewrite

    def require(self, name: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """The table `name` says exactly this; with --rewrite-docs it does afterwards."""
        lines = [header, ["---"] * len(header), *rows]
        table = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
        text = self.path.read_text(encoding="utf-8")
        start, end = f"<!-- {name} -->\n\n", f"\n\n<!-- /{name} -->"
        before, _, rest = text.partition(start)
        found, _, after = rest.partition(end)
        if self.rewrite:
            self.path.write_text(before + start + table + end + after, encoding="utf-8")
        else:
            assert found == table, "docs/conformance.md is stale: make conformance ARGS=--rewrite-docs"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in tests/: nothing of the user's steers, and messages are English."""
    from studio.language import current_language

    for name in ("STUDIO_HOME", "STUDIO_LANG", "NEWS_STUDIO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    current_language.set("en")
