"""Compute the held-out loss with its cluster-robust standard error.

R rows. Rows were sampled, not tokens, and the losses of a row's tokens are correlated: rows
are the clusters of the standard error. This module knows sums, no model.
"""

import math

import torch
from torch import Tensor

NUM_SUMS = 6
"""Length of the vector that `row_sums` returns."""


def row_sums(nll_R: Tensor, tokens_R: Tensor) -> Tensor:
    """Sum nll, tokens, rows, nll², nll x tokens and tokens²; they add up over batches and processes. (6,).

    Args:
        nll_R: summed negative log-likelihood of each row, nats.
        tokens_R: its supervised tokens; a row without any is not counted.
    """
    nll_R, tokens_R = nll_R.double() * (tokens_R > 0), tokens_R.double()
    rows_R = (tokens_R > 0).double()
    return torch.stack([nll_R, tokens_R, rows_R, nll_R**2, nll_R * tokens_R, tokens_R**2]).sum(dim=1)


def loss_and_error(sums: Tensor) -> tuple[float, float | None]:
    """Compute the mean loss per token and its standard error, in nats; no error for fewer than two rows.

    With nll l, tokens c and mean loss L of n rows: sqrt(sum((l - L c)²) n / (n - 1)) / sum(c).
    """
    nll, tokens, rows, nll_squared, mixed, tokens_squared = sums.tolist()
    loss = nll / max(tokens, 1)
    if rows < 2:
        return loss, None
    residual = max(nll_squared - 2 * loss * mixed + loss**2 * tokens_squared, 0.0)
    return loss, math.sqrt(residual * rows / (rows - 1)) / tokens
