"""Compute attention over packed samples without padding, by torch's own flash kernel (varlen).

transformers' own attention would build a T x T mask for a packed row and compute every
pair of it. The kernel takes the sample boundaries instead. Used on a GPU only, and only
after its output there was compared with that of transformers' attention.

T tokens, S samples, H heads, K key heads, D width of a head.
"""

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

log = logging.getLogger(__name__)

NAME = "torch_varlen"
"""The attention's name in a model's config while it trains, without "flash": that would mean the package."""

_is_packed: ContextVar[bool] = ContextVar("_is_packed", default=False)


def use_varlen_attention(model: PreTrainedModel, dtype: torch.dtype) -> bool:
    """Patch the model with varlen attention for packed batches; return whether it is patched.

    Other batches, padded or generated ones, are computed as before.
    """
    base: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    if base.config._attn_implementation == NAME:
        return True
    if not _fits(base, dtype) or not _agrees(base, dtype):
        return False
    base.set_attn_implementation(NAME)
    # On the decoder: peft calls the model's forward past its hooks.
    base.base_model.register_forward_pre_hook(_note_packing, with_kwargs=True)
    base.base_model.register_forward_hook(_forget_packing, always_call=True)
    log.info("attention: varlen, by torch's flash kernel")
    return True


def _fits(model: PreTrainedModel, dtype: torch.dtype) -> bool:
    config = model.config.get_text_config()
    return (
        next(model.parameters()).is_cuda
        and dtype in (torch.bfloat16, torch.float16)
        and model.config._attn_implementation == "sdpa"
        and _head_width(config) % 8 == 0
        and _head_width(config) <= 256
        and set(getattr(config, "layer_types", None) or ["full_attention"]) == {"full_attention"}
        and not getattr(config, "attention_dropout", 0.0)
        and not getattr(config, "attn_logit_softcapping", None)
    )


def _head_width(config: Any) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


@torch.no_grad()
def _agrees(model: PreTrainedModel, dtype: torch.dtype) -> bool:
    """Whether the kernel runs here and agrees with attention sample by sample, on random numbers."""
    config = model.config.get_text_config()
    heads, width = config.num_attention_heads, _head_width(config)
    key_heads = getattr(config, "num_key_value_heads", None) or heads
    lengths = [5, 128, 77]
    device = next(model.parameters()).device
    random = torch.Generator(device=device).manual_seed(0)
    query, key, value = (
        torch.randn(1, n, sum(lengths), width, generator=random, device=device, dtype=torch.float32).to(dtype)
        for n in (heads, key_heads, key_heads)
    )
    ends_S = torch.tensor([0, *lengths], device=device).cumsum(0).int()
    try:
        ours = _flash(query, key, value, width**-0.5, ends_S, max(lengths))
    except (RuntimeError, TypeError) as error:
        log.info("attention: the flash kernel does not run here (%s)", str(error).splitlines()[0])
        return False
    theirs = []
    for q, k, v in zip(*(x.split(lengths, dim=2) for x in (query, key, value)), strict=True):
        k, v = (x.repeat_interleave(heads // key_heads, dim=1) for x in (k, v))
        theirs.append(
            torch.nn.functional.scaled_dot_product_attention(q.float(), k.float(), v.float(), is_causal=True)
        )
    reference = torch.cat(theirs, dim=2).transpose(1, 2)
    deviation = float((ours.float() - reference).norm() / reference.norm())
    if not deviation < 1e-2:
        log.warning("attention: the flash kernel differs by %.1e, so it is not used", deviation)
    return deviation < 1e-2


def _flash(query: Tensor, key: Tensor, value: Tensor, scale: float, ends_S: Tensor, longest: int) -> Tensor:
    """Run the kernel: (1, H, T, D) and twice (1, K, T, D) to (1, T, H, D)."""
    q_THD, k_TKD, v_TKD = (x[0].transpose(0, 1) for x in (query, key, value))
    out: Tensor = torch.ops.aten._flash_attention_forward(
        q_THD, k_TKD, v_TKD, ends_S, ends_S, longest, longest, 0.0, True, False, scale=scale
    )[0]
    return out[None]


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    cu_seq_lens_q: Tensor | None = None,
    max_length_q: int | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Compute the attention of one layer; transformers calls it."""
    if cu_seq_lens_q is None or max_length_q is None or query.shape[2] != key.shape[2]:
        attended: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **others
        )
        return attended
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    # Autocast does not know the kernel, and rotary positions may have made its input single precision.
    dtype = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else value.dtype
    query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    return _flash(query, key, value, scale, cu_seq_lens_q, max_length_q), None


def _mask(*args: Any, **kwargs: Any) -> Tensor | None:
    """Build transformers' mask, but none for a packed batch, whose boundaries the kernel gets."""
    if _is_packed.get():
        return None
    mask: Tensor | None = sdpa_mask(*args, **kwargs)
    return mask


def _note_packing(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    _is_packed.set(kwargs.get("cu_seq_lens_q") is not None)


def _forget_packing(module: nn.Module, args: tuple[Any, ...], output: object) -> None:
    _is_packed.set(False)


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, _mask)
