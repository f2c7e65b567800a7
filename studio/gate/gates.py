"""Save gates, append-only, and list them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from studio.contract import spec_error
from studio.datasets.files import file_hash
from studio.datasets.versions import find_version
from studio.errors import InputError
from studio.evaluation.training_rows import labelled_rows
from studio.language import say
from studio.releases import ledger
from studio.releases.models import GateRule
from studio.samples.scheme import load_scheme
from studio.store import Store, writing
from studio.team.rights import require_right
from studio.workspace import BUNDLED_DATASET, BUNDLED_NAME, Workspace


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A saved gate: its number from 1, its rule, who saved it and when (UTC), and its hash in the ledger."""

    number: int
    rule: GateRule
    author: str
    at: datetime
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Build an entry of `news-studio gate list --json`."""
        return {
            "number": self.number,
            "rule": self.rule.model_dump(mode="json"),
            "author": self.author,
            "at": self.at.isoformat(),
            "sha256": self.sha256,
        }


def save_gate(db: Store, workspace: Workspace, *, dataset: str, author: str, **lines: Any) -> Gate:
    """Save a gate, for candidates that are evaluated from now on.

    Args:
        db: store.
        workspace: where the dataset is.
        dataset: version (`name` or `name@3`) or `bundled`, whose evaluation rows count.
        author: who saves it.
        lines: fields of `GateRule`.

    Raises:
        NotAllowed: the author's role does not cover it.
        InputError: there is no such version, or a line cannot be used.
    """
    require_right("save_gate", db, author)
    ref, sha256, rows = _evaluation_set(db, workspace, dataset)
    try:
        rule = GateRule(dataset=ref, dataset_sha256=sha256, rows=rows, **lines)
    except ValidationError as error:
        problem, remedy = spec_error(error)
        raise InputError(problem, remedy=remedy) from error
    with writing(db):
        ledger.append(db, "gate_saved", rule, author=author)
        return list_gates(db)[0]


def _evaluation_set(db: Store, workspace: Workspace, dataset: str) -> tuple[str, str, int]:
    """Return reference, hash and number of rows of an evaluation set that cannot change."""
    if dataset == BUNDLED_NAME:
        rows = labelled_rows(BUNDLED_DATASET, "eval", load_scheme()).rows
        return dataset, file_hash((BUNDLED_DATASET / "eval.json").read_bytes()), len(rows)
    version = find_version(db, workspace, dataset)
    return version.ref, version.sha256, version.rows["eval"]


def list_gates(db: Store) -> list[Gate]:
    """List every gate, the newest first."""
    found = [
        Gate(
            number=number,
            rule=GateRule.model_validate_json(entry.body),
            author=entry.author,
            at=entry.at,
            sha256=entry.sha256,
        )
        for number, entry in enumerate(ledger.read(db, "gate_saved"), start=1)
    ]
    return found[::-1]


def find_gate(db: Store, number: int | None = None) -> Gate | None:
    """Find a gate by its number, the newest without one; None: no gate was saved.

    Raises:
        InputError: there is no gate of that number.
    """
    gates = list_gates(db)
    if number is None:
        return gates[0] if gates else None
    for gate in gates:
        if gate.number == number:
            return gate
    raise InputError(
        say("没有第 {number} 号门槛。", "There is no gate {number}.", number=number),
        remedy=say("用 news-studio gate list 查看所有门槛。", "See all with: news-studio gate list"),
    )
