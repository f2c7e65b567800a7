"""Where `make conformance` keeps the environments of the real packages."""

from pathlib import Path

PROOF = Path(__file__).resolve().parent.parent.parent / ".venv-conformance"
