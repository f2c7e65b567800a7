"""Attend to the engine's key-value cache: the attention that a model computes while the engine runs it.

transformers calls `attend` for every layer. What is to be attended to is in the current `Reading`,
not in a mask of transformers': rows have different lengths and are packed to the left of the cache.

B rows, H heads, K key heads, G heads a key head, T tokens, S places of the cache, D width of a head.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel

from backend.engine.cache import KeyValueCache
from backend.kernels.decode_attention import attend_one_token

NAME = "news_studio_engine"
"""The attention's name in a model's config while the engine runs it."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the current forward reads and writes.

    Args:
        cache: of all rows.
        rows: first row and the one behind the last.
        start: place of the first new token: the same for all rows (prefill), or None: `lengths` (decode).
        end: places that are read, those of the new tokens included (prefill; on a CPU also decode).
        lengths: tokens before the new one, (B,).
        bias: 0 where a place is read and -inf where not, (B, 1, 1, end); None with the kernel.
    """

    cache: KeyValueCache
    rows: tuple[int, int]
    start: int | None
    end: int
    lengths: Tensor | None = None
    bias: Tensor | None = None


_reading: ContextVar[Reading] = ContextVar("_reading")


@contextmanager
def reads(reading: Reading) -> Iterator[None]:
    """Have the forward inside read and write as described."""
    token = _reading.set(reading)
    try:
        yield
    finally:
        _reading.reset(token)


@contextmanager
def engine_attention(model: PreTrainedModel) -> Iterator[None]:
    """Have the model attend by this module inside, and as before afterwards."""
    wrapped: Any = model
    base = wrapped.get_base_model() if hasattr(model, "get_base_model") else wrapped
    config = base.config.get_text_config()
    before = config._attn_implementation
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Write one layer's new keys and values to the cache and attend: (B, H, T, D) to (B, T, H, D)."""
    reading = _reading.get()
    layer = int(module.layer_idx)  # type: ignore[arg-type] # every attention of transformers has it
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    if reading.start is None:
        out = _decode(reading, layer, query, key, value, scale, sliding_window, softcap)
    else:
        out = _prefill(reading, layer, query, key, value, scale, sliding_window, softcap)
    return out, None


def _prefill(
    reading: Reading,
    layer: int,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    window: int | None,
    softcap: float | None,
) -> Tensor:
    """Attend from all new tokens; they stand at the same places in all rows."""
    assert reading.start is not None
    reading.cache.write(layer, reading.rows, reading.start, key, value)
    if not reading.start and not softcap and (window is None or reading.end <= window):
        out = scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scale, enable_gqa=query.shape[1] != key.shape[1]
        )
        return out.transpose(1, 2)
    keys, values = reading.cache.read(layer, reading.rows, reading.end)
    places = torch.arange(reading.end, device=query.device)
    asking = places[reading.start :, None]
    seen = places <= asking
    if window is not None:
        seen &= places > asking - window
    return _masked(query, keys, values, _as_bias(seen, query.dtype)[None, None], scale, softcap)


def _decode(
    reading: Reading,
    layer: int,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    window: int | None,
    softcap: float | None,
) -> Tensor:
    """Attend from one new token a row, each at its own place."""
    assert reading.lengths is not None
    if reading.bias is None:
        keys, values = reading.cache.whole(layer, reading.rows)
        return attend_one_token(
            query, key, value, keys, values, reading.lengths, scale, window=window, softcap=softcap
        )
    reading.cache.append(layer, reading.rows, reading.lengths, key, value)
    keys, values = reading.cache.read(layer, reading.rows, reading.end)
    bias = reading.bias
    if window is not None and window < reading.end:
        places = torch.arange(reading.end, device=query.device)
        bias = bias.masked_fill(
            (places <= reading.lengths[:, None] - window)[:, None, None, :], float("-inf")
        )
    # The heads of one key head are taken for so many tokens: nothing is repeated.
    grouped = query.view(query.shape[0], key.shape[1], -1, query.shape[-1])
    out = _masked(grouped, keys, values, bias, scale, softcap).transpose(1, 2)
    return out.reshape(query.shape[0], 1, query.shape[1], -1)


def _masked(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scale: float, softcap: float | None
) -> Tensor:
    """Attend under an additive mask: (B, H, T, D) to (B, T, H, D)."""
    if softcap is None:
        grouped = query.shape[1] != key.shape[1]
        if grouped and query.is_cuda:
            # No fused kernel takes a mask and grouped keys at once.
            key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], dim=1) for x in (key, value))
            grouped = False
        out = scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale, enable_gqa=grouped)
        return out.transpose(1, 2)
    key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], dim=1) for x in (key, value))
    scores = torch.tanh(query @ key.transpose(-1, -2) * (scale / softcap)) * softcap + bias
    return (scores.softmax(dim=-1, dtype=torch.float32).to(query.dtype) @ value).transpose(1, 2)


def _as_bias(seen: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, float("-inf"))


# Not registered with the mask interface: transformers then builds no mask at all.
AttentionInterface.register(NAME, attend)
