"""Estimate the size of an export before it is made, and read what earlier ones of the model measured."""

from dataclasses import dataclass
from math import prod
from pathlib import Path

from studio import runs
from studio.contract import ExportFormat, ExportQuant, ExportReport, ExportSpec
from studio.errors import UnreadableFile
from studio.modelfiles.safetensors_headers import read_weights
from studio.operations.exports import read_report
from studio.runs import Job
from studio.workspace import Workspace

_BITS: dict[ExportQuant, float] = {
    "f32": 32, "f16": 16, "bf16": 16, "q8_0": 8.5, "q6_k": 6.5625, "q5_k_m": 5.7, "q5_1": 6, "q5_0": 5.5,
    "q4_k_m": 4.85, "q4_k_s": 4.6, "q4_1": 5, "q4_0": 4.5, "q3_k_m": 3.9, "int8": 8, "nf4": 4.13,
}  # fmt: skip
"""Bits to a weight; of the mixes, what they come to on usual shapes."""
_FALLBACK_BITS: dict[ExportQuant, float] = {
    "q6_k": 8.5, "q5_k_m": 6.3, "q4_k_m": 5.9, "q4_k_s": 5.6, "q3_k_m": 5.1,
}  # fmt: skip
_END_BITS: dict[ExportQuant, float] = {
    "f32": 32, "f16": 16, "bf16": 16, "q8_0": 8.5, "q6_k": 6.5625, "q5_k_m": 6.5625, "q4_k_m": 6.5625,
    "q4_k_s": 6.5625, "q3_k_m": 6.5625, "int8": 16, "nf4": 16,
}  # fmt: skip
"""Of the embedding and the head; where they are not named, eight bit."""
_ENDS = ("embed_tokens.weight", "lm_head.weight", "wte.weight")
K_BLOCK = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSize:
    """How many weights a model has: in matrices, in embedding and head, in vectors.

    `is_wide`: every matrix has rows that K-quants divide.
    """

    matrices: int
    ends: int
    vectors: int
    is_wide: bool

    def estimate(self, quant: ExportQuant) -> int:
        """Estimate the bytes of the weights in a type; within a few percent of the files."""
        falls_back = not self.is_wide and quant in _FALLBACK_BITS
        bits = _FALLBACK_BITS[quant] if falls_back else _BITS[quant]
        end_bits = 8.5 if falls_back else _END_BITS.get(quant, 8.5)
        plain = _BITS[quant] if quant in ("f32", "f16", "bf16") else 16 if quant in ("int8", "nf4") else 32
        return round((self.matrices * bits + self.ends * end_bits + self.vectors * plain) / 8)


def model_size(model: Path) -> ModelSize | None:
    """Count the weights of a model folder by the headers of its files; None where they cannot be read."""
    shapes = read_weights(model).shapes
    if not shapes:
        return None
    matrices = {name: shape for name, shape in shapes.items() if len(shape) > 1}
    ends = {name: shape for name, shape in matrices.items() if name.endswith(_ENDS)}
    return ModelSize(
        matrices=sum(prod(shape) for name, shape in matrices.items() if name not in ends),
        ends=sum(map(prod, ends.values())),
        vectors=sum(prod(shape) for name, shape in shapes.items() if name not in matrices),
        is_wide=all(shape[-1] % K_BLOCK == 0 for shape in matrices.values()),
    )


def list_exports(workspace: Workspace) -> list[Job]:
    """List the exports of a workspace, newest first."""
    found = [job for job in runs.list_jobs(workspace) if isinstance(job.spec, ExportSpec)]
    return sorted(found, key=lambda job: job.created_at, reverse=True)


def find_report(job: Job) -> ExportReport | None:
    """Read the report of an export; None while it is not done, or where its folder was moved away."""
    assert isinstance(job.spec, ExportSpec), job.spec.kind
    if job.state != "done":
        return None
    try:
        return read_report(job.spec.target)
    except UnreadableFile:
        return None


def measured_before(
    workspace: Workspace, run: str | None, model: Path
) -> dict[tuple[ExportFormat, ExportQuant], ExportReport]:
    """Find the newest proof of each type among earlier exports of the same run, or of the same base alone."""
    found: dict[tuple[ExportFormat, ExportQuant], ExportReport] = {}
    for job in list_exports(workspace):
        assert isinstance(job.spec, ExportSpec), job.spec.kind
        is_same = job.spec.run == run if run else job.spec.model_name_or_path == model and not job.spec.run
        if is_same and (report := find_report(job)) is not None and report.proof.runtime:
            found.setdefault((report.format, report.quant), report)
    return found
