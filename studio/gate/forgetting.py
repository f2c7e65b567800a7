"""Read whether a run's model has forgotten what its base knew, as the forgetting probe left it."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from studio.contract import Result
from studio.system.documents import READ_FAULTS, read_whole

RESULT = "forgetting.json"


class _Probe(BaseModel):
    """What the gate reads of the result of a probe: `code` is red, green, unclear or blind."""

    model_config = ConfigDict(extra="ignore")

    code: str
    checkpoint: str | None


def forgetting_verdict(run_folder: Path) -> str | None:
    """Read what the probe of a run's model said; None: it was not probed, or another checkpoint was."""
    try:
        probe = _Probe.model_validate_json(read_whole(run_folder / RESULT))
        result = Result.model_validate_json(read_whole(run_folder / "result.json"))
    except READ_FAULTS:  # a ValidationError is a ValueError
        return None
    return probe.code if probe.checkpoint == result.checkpoint else None
