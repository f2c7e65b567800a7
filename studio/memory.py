"""Memory of a training run before it starts, in parts.

This module knows no device and no torch.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Peak memory of one device in GiB, by what takes it."""

    weights_gib: float
    adapter_gib: float
    optimizer_gib: float
    gradients_gib: float
    activations_gib: float
    logits_gib: float
    overhead_gib: float

    @property
    def total_gib(self) -> float:
        """All parts together."""
        return (
            self.weights_gib
            + self.adapter_gib
            + self.optimizer_gib
            + self.gradients_gib
            + self.activations_gib
            + self.logits_gib
            + self.overhead_gib
        )
