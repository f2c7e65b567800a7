"""Compute what training rows did to an answer, and which rows contradict the others, from their gradients.

n training rows, m targets, D length of a (sketched) gradient. Pure: matrices in, numbers out.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from backend.training.sample_gradients import Block

DATAINF_DAMPING = 0.1
"""Damping of each matrix's curvature, as a share of the mean squared gradient: DataInf's own."""
SUPPORT_DAMPING = 1.0
"""Damping of `leave_one_out_support`; 0.3 to 3 found as many planted label errors (docs/experiments.md)."""
MOST_COLUMNS = 4096
"""Columns up to which a matrix is inverted; more rows than that are folded into so many sums."""


def datainf(rows_nD: Tensor, targets_mD: Tensor, blocks: Sequence[Block]) -> Tensor:
    """Estimate how much each row raised each target, (m, n): DataInf's closed form, summed over matrices.

    For a target f and a row with loss gradient g it is -∇f H⁻¹ g: positive where training on the row pushed
    f up. The curvature of a matrix is the mean of g gᵀ + λ, and the mean of the inverses stands in for its
    inverse: nothing larger than a block of the gradients is kept.

    Source: Kwon et al. 2023, "DataInf", arXiv 2310.00902, equation 5 and section 3; λ is 0.1 of the mean
    squared gradient of a weight.
    """
    found_mn = torch.zeros(len(targets_mD), len(rows_nD))
    for block in blocks:
        g_nK, v_mK = rows_nD[:, block.start : block.end], targets_mD[:, block.start : block.end]
        squared_n = (g_nK**2).sum(dim=1)
        damping = DATAINF_DAMPING * squared_n.mean() / block.size
        if damping == 0:
            continue  # no row has a gradient here: a fresh adapter's A, behind a B of zeros
        share_mn = v_mK @ g_nK.T / (damping + squared_n)
        solved_mK = (v_mK - share_mn @ g_nK / len(g_nK)) / damping
        found_mn -= solved_mK @ g_nK.T
    return found_mn


def leave_one_out_support(gradients_nD: Tensor, *, damping: float = SUPPORT_DAMPING) -> Tensor:
    """Compute how much a step that lowers the loss of all other rows lowers that of each, (n,).

    Gradients are scaled to norm 1, so that no row counts for its loss. The step is the ridge regression of
    "lower every loss by 1" on the others' gradients; leaving each row out in turn has a closed form. 1: the
    others teach this row's label as well; 0: they say nothing about it; below: they contradict it.
    """
    unit_nD = _narrow(torch.nn.functional.normalize(gradients_nD.double(), dim=1))
    n, columns = unit_nD.shape
    if n <= columns:
        gram_nn = unit_nD @ unit_nD.T
        inverse_nn = torch.linalg.inv(gram_nn + damping * torch.eye(n, dtype=gram_nn.dtype))
        support_n: Tensor = 1 - inverse_nn.sum(dim=1) / inverse_nn.diagonal()
        return support_n.float()
    gram_DD = unit_nD.T @ unit_nD + damping * torch.eye(columns, dtype=unit_nD.dtype)
    hat_Dn = torch.linalg.solve(gram_DD, unit_nD.T)
    leverage_n = (unit_nD * hat_Dn.T).sum(dim=1)
    fitted_n = unit_nD @ hat_Dn.sum(dim=1)
    left_out_n: Tensor = (fitted_n - leverage_n) / (1 - leverage_n)
    return left_out_n.float()


def _narrow(rows_nD: Tensor) -> Tensor:
    """Fold columns with random signs where there are more than can be inverted, of columns and of rows."""
    n, columns = rows_nD.shape
    if min(n, columns) <= MOST_COLUMNS:
        return rows_nD
    signs_D = torch.randint(0, 2, (columns,), generator=torch.Generator().manual_seed(0)) * 2 - 1
    padded = torch.nn.functional.pad(rows_nD * signs_D, (0, -columns % MOST_COLUMNS))
    return torch.nn.functional.normalize(padded.unflatten(1, (-1, MOST_COLUMNS)).sum(dim=1), dim=1)


def label_suspicion(conflicts: Sequence[Tensor], losses: Sequence[Tensor]) -> Tensor:
    """Rank rows by how doubtful their label is, 0 to 1, (n,).

    The mean of two ranks: by how much the other rows contradict this one's gradient, and by the loss of its
    label after one pass. Either alone found fewer planted errors (docs/experiments.md). Both are summed over
    the ways in which a row is learned: from the title alone, and after its own think chain.

    Args:
        conflicts: less `leave_one_out_support`, for each way, (n,).
        losses: of the label in nats, for each way, (n,).
    """
    return (_ranks(torch.stack(list(conflicts)).sum(0)) + _ranks(torch.stack(list(losses)).sum(0))) / 2


def _ranks(values_n: Tensor) -> Tensor:
    """Rank values from 0 to 1; equal ones share the mean of their places."""
    ordered, places = values_n.unique(return_inverse=True)
    counts = torch.bincount(places, minlength=len(ordered)).float()
    middles = counts.cumsum(0) - (counts + 1) / 2
    return middles[places] / max(len(values_n) - 1, 1)
