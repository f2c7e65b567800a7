"""Attend from one new token a row to a row's own keys and values, by a Triton kernel.

The kernel writes the new key and value to the cache and reads each key head once for all heads that
share it; rows may have any lengths. torch's own kernels would repeat the keys for grouped heads or
need the rows packed anew at every step. Checked against plain attention in float32 before its
first use, see `agrees`; a captured graph may replay it, since nothing depends on a number on the host.

B rows, H heads, K key heads, G heads a key head, S places of the cache, D width of a head.
"""

import logging

import torch
from torch import Tensor

log = logging.getLogger(__name__)

BLOCK = 64
"""Places read at once."""


def attend_one_token(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    keys: Tensor,
    values: Tensor,
    lengths: Tensor,
    scale: float,
    *,
    window: int | None = None,
    softcap: float | None = None,
) -> Tensor:
    """Append a key and a value a row and attend to all: (B, H, 1, D) to (B, 1, H, D).

    Args:
        query: (B, H, 1, D).
        key: of the new token, (B, K, 1, D); `value` likewise.
        keys: of the cache, (B, K, S, D), written at place `lengths`; `values` likewise.
        lengths: tokens before the new one, (B,).
        scale: factor of the scores.
        window: places that are seen, the new one included; None: all.
        softcap: bound of the scores; None: none.
    """
    import triton  # here, since it exists only beside a GPU

    from backend.kernels.decode_kernel import attend_kernel

    rows, heads, _, width = query.shape
    key_heads = key.shape[1]
    group = heads // key_heads
    out = query.new_empty((rows, 1, heads, width))
    attend_kernel[(rows, key_heads)](
        query, key, value, keys, values, lengths, out,
        query.stride(0), query.stride(1), key.stride(0), key.stride(1), value.stride(0), value.stride(1),
        keys.stride(0), keys.stride(1), keys.stride(2),
        values.stride(0), values.stride(1), values.stride(2),
        out.stride(0), out.stride(2), lengths.stride(0), scale, window or 0, softcap or 0.0,
        G=group, G_PAD=max(16, triton.next_power_of_2(group)),
        D=width, D_PAD=max(16, triton.next_power_of_2(width)), N=BLOCK,
        HAS_WINDOW=window is not None, HAS_SOFTCAP=softcap is not None,
        num_warps=4, num_stages=2,
    )  # fmt: skip
    return out


def attend_plainly(
    query: Tensor, keys: Tensor, values: Tensor, lengths: Tensor, scale: float, window: int | None = None
) -> Tensor:
    """Attend in float32 without any kernel, to check against; the new token is in the cache already."""
    group = query.shape[1] // keys.shape[1]
    k, v = (x.float().repeat_interleave(group, dim=1) for x in (keys, values))
    places = torch.arange(keys.shape[2], device=query.device)
    seen = places <= lengths[:, None]
    if window is not None:
        seen &= places > lengths[:, None] - window
    scores = (query.float() @ k.transpose(-1, -2) * scale).masked_fill(~seen[:, None, None], float("-inf"))
    return (scores.softmax(dim=-1) @ v).transpose(1, 2)


@torch.no_grad()
def agrees(heads: int, key_heads: int, width: int, dtype: torch.dtype, device: torch.device) -> bool:
    """Whether the kernel runs on this device and agrees with plain attention, on random numbers."""
    random = torch.Generator(device=device).manual_seed(0)
    rows, places = 5, 200
    # As the engine has them: a column of a wider table.
    lengths = torch.tensor([[0, 9], [1, 9], [63, 9], [64, 9], [199, 9]], device=device)[:, 0]

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random, device=device).to(dtype)

    for window in (None, 50):
        query, key, value = (
            draw(rows, heads, 1, width),
            draw(rows, key_heads, 1, width),
            draw(rows, key_heads, 1, width),
        )
        keys, values = draw(rows, key_heads, places, width), draw(rows, key_heads, places, width)
        try:
            ours = attend_one_token(query, key, value, keys, values, lengths, width**-0.5, window=window)
        except Exception as error:  # noqa: BLE001 - whatever a compiler raises, attention has another way
            log.info("attention: the decode kernel does not run here (%s)", str(error).splitlines()[:1])
            return False
        theirs = attend_plainly(query, keys, values, lengths, width**-0.5, window)
        deviation = float((ours.float() - theirs).norm() / theirs.norm())
        if not deviation < 1e-2:
            log.warning("attention: the decode kernel differs by %.1e, so it is not used", deviation)
            return False
    return True
