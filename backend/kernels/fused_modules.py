"""Fuse three modules of a decoder: LoRA on a linear layer, RMSNorm, the gated product of the MLP.

The fused forwards compute what the modules of transformers and peft compute, with fewer
kernels and fewer saved tensors. A module is patched only if it is the plain one; what has
dropout, DoRA or more than one active adapter is left alone. This module knows no batch and no loss.

T tokens of a packed batch, I and O widths of a linear layer, R rank of its adapter.
"""

import logging
import types
from collections import Counter
from typing import Any

import torch
import torch.nn.functional as F
from peft.tuners.lora import Linear as LoraLinear
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

log = logging.getLogger(__name__)

_TOLERANCE = 2e-2
"""Largest relative difference that one bfloat16 rounding more or less explains."""


def fuse(model: nn.Module) -> Counter[str]:
    """Patch the forward of every module that can be fused; count them by kind."""
    fused: Counter[str] = Counter()
    for module in model.modules():
        for kind, fits, forward in _FUSIONS:
            if fits(module):
                module.forward = types.MethodType(forward, module)
                fused[kind] += 1
    log.info("fused: %s", ", ".join(f"{count} {kind}" for kind, count in fused.items()) or "nothing")
    return fused


def _compute_dtype(x: Tensor) -> torch.dtype:
    if torch.is_autocast_enabled(x.device.type):
        return torch.get_autocast_dtype(x.device.type)
    return x.dtype


class _LoraProduct(torch.autograd.Function):
    """y = x W' + b + s (x A') B', saving x and x A' only; the sums are fused into the products."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, a_RI: Tensor, b_OR: Tensor, scale: float, base: nn.Module) -> Tensor:
        x_TI = x.reshape(-1, x.shape[-1])
        weight_OI, bias_O = _dense(base, x.dtype)
        low_TR = x_TI @ a_RI.to(x.dtype).T
        y_TO = F.linear(x_TI, weight_OI, bias_O)
        y_TO.addmm_(low_TR, b_OR.to(x.dtype).T, alpha=scale)
        ctx.save_for_backward(x_TI, low_TR, a_RI, b_OR)
        ctx.scale, ctx.base = scale, base
        return y_TO.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x_TI, low_TR, a_RI, b_OR = ctx.saved_tensors
        dy_TO = gradients[0].reshape(-1, gradients[0].shape[-1])
        da_RI = db_OR = dx = None
        dlow_TR = (dy_TO @ b_OR.to(dy_TO.dtype)).mul_(ctx.scale)
        if ctx.needs_input_grad[1]:
            da_RI = (dlow_TR.T @ x_TI).to(a_RI.dtype)
        if ctx.needs_input_grad[2]:
            db_OR = (dy_TO.T @ low_TR).to(b_OR.dtype).mul_(ctx.scale)
        if ctx.needs_input_grad[0]:
            weight_OI, _ = _dense(ctx.base, dy_TO.dtype)
            dx = (dy_TO @ weight_OI).addmm_(dlow_TR, a_RI.to(dy_TO.dtype))
            dx = dx.view(*gradients[0].shape[:-1], -1)
        return dx, da_RI, db_OR, None, None


def _dense(base: nn.Module, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
    """Cast weight and bias of a frozen linear layer to this dtype; dequantize a 4-bit one."""
    weight, bias = base.weight, base.bias
    assert isinstance(weight, Tensor)
    state = getattr(weight, "quant_state", None)
    if state is not None:
        import bitsandbytes.functional as packed  # only where the model holds 4-bit weights

        weight = packed.dequantize_4bit(weight.data, state)
    assert bias is None or isinstance(bias, Tensor)
    return weight.to(dtype), None if bias is None else bias.to(dtype)


def _is_plain_lora(module: nn.Module) -> bool:
    """Whether a module is plain LoRA: one active adapter, no dropout, no variant, a frozen base.

    Beside it there may be adapters that are not active, such as the reference of a preference training.
    """
    if not isinstance(module, LoraLayer) or len(module.active_adapters) != 1:
        return False
    name = module.active_adapters[0]
    base = module.get_base_layer()
    kind: type[nn.Module] = type(module)  # exactly: a subclass may compute something else
    four_bit = type(base).__name__ == "Linear4bit" and getattr(base.weight, "quant_state", None) is not None
    plain_class = (kind is LoraLinear and type(base) is nn.Linear) or (
        four_bit and kind.__name__ == "Linear4bit"
    )
    return (
        plain_class
        and name in module.lora_A
        and not module.lora_variant
        and not any(module.lora_bias.values())
        and all(isinstance(dropout, nn.Identity) for dropout in module.lora_dropout.values())
        and not getattr(module, "fan_in_fan_out", False)
        and not any(parameter.requires_grad for parameter in base.parameters())
    )


def _lora_forward(self: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    if self.disable_adapters or self.merged or args or kwargs or len(self.active_adapters) != 1:
        plain: Tensor = type(self).forward(self, x, *args, **kwargs)
        return plain
    name = self.active_adapters[0]
    # Autocast has nothing left to do: all products inside are of this one dtype.
    product: Tensor = _LoraProduct.apply(  # type: ignore[no-untyped-call]
        x.to(_compute_dtype(x)),
        self.lora_A[name].weight,
        self.lora_B[name].weight,
        self.scaling[name],
        self.base_layer,
    )
    return product


def _is_rms_norm(module: nn.Module) -> bool:
    """Whether a module computes weight * x / rms(x), found out by a trial, not by its name."""
    if not hasattr(module, "variance_epsilon") or [name for name, _ in module.named_parameters()] != [
        "weight"
    ]:
        return False
    weight = module.weight
    assert isinstance(weight, Tensor)
    x = torch.linspace(-1, 2, weight.numel(), device=weight.device, dtype=weight.dtype)[None]
    with torch.no_grad():
        return _close(_norm_forward(module, x), type(module).forward(module, x))


def _norm_forward(self: Any, x: Tensor) -> Tensor:
    dtype = _compute_dtype(x)
    with torch.autocast(x.device.type, enabled=False):
        normed = F.rms_norm(x, x.shape[-1:], self.weight.to(x.dtype), self.variance_epsilon)
    # Every consumer of a norm is a linear layer, which would cast to this dtype itself, each its own copy.
    return normed.to(dtype)


class _GatedProduct(torch.autograd.Function):
    """silu(gate) * up, saving the two factors only."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        dup = F.silu(gate).mul_(gradients[0])
        dgate = torch.ops.aten.silu_backward(gradients[0] * up, gate)
        return dgate, dup


def _is_gated(module: nn.Module) -> bool:
    names = [name for name, _ in module.named_children()]
    return sorted(names) == ["act_fn", "down_proj", "gate_proj", "up_proj"] and (
        type(module.act_fn).__name__ in ("SiLU", "SiLUActivation")
    )


def _gated_forward(self: Any, x: Tensor) -> Tensor:
    product: Tensor = _GatedProduct.apply(self.gate_proj(x), self.up_proj(x))  # type: ignore[no-untyped-call]
    down: Tensor = self.down_proj(product)
    return down


def _close(one: Tensor, other: Tensor) -> bool:
    scale = other.float().norm().clamp_min(1e-12)
    return bool((one.float() - other.float()).norm() / scale < _TOLERANCE)


_FUSIONS = (
    ("LoRA products", _is_plain_lora, _lora_forward),
    ("norms", _is_rms_norm, _norm_forward),
    ("gated products", _is_gated, _gated_forward),
)
