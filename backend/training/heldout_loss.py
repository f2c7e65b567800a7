"""The mean loss over held-out rows, and how far it is to be trusted.

R rows. Rows were drawn, not tokens, and the tokens of a row share its luck: rows are the
clusters of the standard error. This module knows sums, no model.
"""

import math

import torch
from torch import Tensor

SUMS = 6
"""Length of the vector that `row_sums` gives."""


def row_sums(nll_R: Tensor, tokens_R: Tensor) -> Tensor:
    """Sums that add up over batches and processes: of nll, tokens, rows, nll², nll x tokens, tokens². (6,).

    Args:
        nll_R: summed negative log-likelihood of each row, nats.
        tokens_R: its supervised tokens; a row without any counts for nothing.
    """
    nll_R, tokens_R = nll_R.double() * (tokens_R > 0), tokens_R.double()
    rows_R = (tokens_R > 0).double()
    return torch.stack([nll_R, tokens_R, rows_R, nll_R**2, nll_R * tokens_R, tokens_R**2]).sum(dim=1)


def loss_and_error(sums: Tensor) -> tuple[float, float | None]:
    """Mean loss per token and its standard error, both in nats; no error for fewer than two rows.

    With nll l, tokens c and mean loss L of n rows: sqrt(sum((l - L c)²) n / (n - 1)) / sum(c).
    """
    nll, tokens, rows, nll_squared, mixed, tokens_squared = sums.tolist()
    loss = nll / max(tokens, 1)
    if rows < 2:
        return loss, None
    residual = max(nll_squared - 2 * loss * mixed + loss**2 * tokens_squared, 0.0)
    return loss, math.sqrt(residual * rows / (rows - 1)) / tokens
