"""Estimate the memory of a training before it starts.

Activations are counted layer by layer from the modules of a decoder with rotary attention
and a gated MLP (Qwen2, Qwen3, Llama, Gemma, Mistral): every tensor that a module keeps for
the backward pass. Measured against real peaks by benchmarks/gpu/memory.py (docs/experiments.md).

This module knows no device and no torch.

T tokens of a batch, N of them learned, V vocabulary, H hidden size, I inner size of the MLP,
Q and K widths of all query and of all key heads, R rank.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from studio.contract import TrainSpec

GIB = 2**30
CHUNK_ELEMENTS = 2**27
"""Logits of one chunk of the loss: 128 M, 1.25 GiB with their scores; 882 tokens of a vocabulary of
152,064."""
TRL_TILE = (4096, 32768)
"""Tokens and columns of the vocabulary whose logits TRL's DPO and KTO compute at once."""
CONTEXT_GIB = {True: 0.75, False: 0.85}
"""Fixed overhead. GPU: driver context, kernels and their workspaces. CPU: the interpreter with torch and
transformers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Peak memory of one device in GiB, by component."""

    weights_gib: float
    adapter_gib: float
    optimizer_gib: float
    gradients_gib: float
    activations_gib: float
    logits_gib: float
    overhead_gib: float

    @property
    def total_gib(self) -> float:
        """The sum of all parts."""
        return (
            self.weights_gib
            + self.adapter_gib
            + self.optimizer_gib
            + self.gradients_gib
            + self.activations_gib
            + self.logits_gib
            + self.overhead_gib
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelShape:
    """Layer count and widths of a model; `parameters` counts all weights, the embedding included."""

    parameters: int
    hidden: int
    inner: int
    layers: int
    query: int
    key: int
    vocabulary: int

    @property
    def linear(self) -> int:
        """Weights of the linear layers, without head and embedding."""
        attention = self.hidden * (2 * self.query + 2 * self.key)
        return self.layers * (attention + 3 * self.hidden * self.inner)

    def adapter(self, rank: int) -> int:
        """Count the weights of LoRA of this rank on every linear layer of the decoder."""
        h, q, k, i = self.hidden, self.query, self.key, self.inner
        ends = 2 * (h + q) + 2 * (h + k) + 3 * (h + i)
        return self.layers * rank * ends


def chunk_rows(vocabulary: int) -> int:
    """Compute the chunk size of the loss: the tokens whose logits are in memory at once."""
    return max(CHUNK_ELEMENTS // vocabulary, 64)


def shape_of(config: Mapping[str, Any], parameters: int = 0) -> ModelShape:
    """Parse the shape of a model from its config.

    Args:
        config: the content of config.json.
        parameters: weights in the model's files; 0: computed from the widths.

    Raises:
        KeyError, ValueError, TypeError: the config lacks what the estimate needs.
    """
    config = config.get("text_config") or config
    heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
    width = int(config.get("head_dim") or hidden // heads)
    shape = ModelShape(
        parameters=parameters,
        hidden=hidden,
        inner=int(config["intermediate_size"]),
        layers=int(config["num_hidden_layers"]),
        query=heads * width,
        key=int(config.get("num_key_value_heads") or heads) * width,
        vocabulary=int(config["vocab_size"]),
    )
    tables = hidden * shape.vocabulary * (1 if config.get("tie_word_embeddings") else 2)
    return shape if parameters else replace(shape, parameters=shape.linear + tables)


def estimate(
    spec: TrainSpec, shape: ModelShape, *, on_gpu: bool = True, longest: int | None = None
) -> Estimate:
    """Estimate the peak memory of one device for this training.

    Args:
        spec: the training.
        shape: the model.
        on_gpu: else on a CPU, where all is single precision unless the spec sets bf16.
        longest: tokens of the longest row, if known; else every row is assumed to be
            as long as cutoff_len allows.
    """
    row = min(spec.cutoff_len, longest or spec.cutoff_len)
    # Both answers of a pair go through the model at once; KTO takes them one by one.
    tokens = row * spec.per_device_train_batch_size * (2 if spec.stage in ("dpo", "orpo") else 1)
    half = on_gpu if spec.bf16 is None else spec.bf16
    trained = _trained(spec, shape)
    static = _static(spec, shape, trained, half=half)
    logits = _head(spec, shape, tokens, half=half)
    activations = _activations(spec, shape, tokens, half=half, on_gpu=on_gpu)
    gradients: float = 4 * trained
    # Gradients grow as activations are freed, and the optimizer's step needs a copy of them when no
    # activation is left.
    step = gradients + (4 * trained if spec.optim == "adamw_torch" else 0)
    if spec.gradient_accumulation_steps == 1:
        gradients = max(step - activations - logits, 0)
    else:
        gradients = max(gradients, step - activations - logits)
    return Estimate(
        weights_gib=static["weights"] / GIB,
        adapter_gib=static["adapter"] / GIB,
        optimizer_gib=static["optimizer"] / GIB,
        gradients_gib=gradients / GIB,
        activations_gib=activations / GIB,
        logits_gib=logits / GIB,
        overhead_gib=CONTEXT_GIB[on_gpu],
    )


def _trained(spec: TrainSpec, shape: ModelShape) -> int:
    """Count the trainable weights."""
    if spec.finetuning_type == "full":
        return shape.parameters
    if spec.finetuning_type == "freeze":
        layers = min(abs(spec.freeze_trainable_layers), shape.layers)
        return round(shape.linear * layers / shape.layers)
    extra = shape.hidden * shape.vocabulary if spec.additional_target else 0
    return shape.adapter(spec.lora_rank) + extra


def _static(spec: TrainSpec, shape: ModelShape, trained: int, *, half: bool) -> dict[str, float]:
    """Count the bytes that stay allocated throughout: weights, adapter and optimizer state."""
    size = 2 if half else 4
    others = shape.parameters - shape.linear
    if spec.finetuning_type == "full":
        # Single-precision weights; with bf16, autocast keeps a half-precision copy of each through the step.
        weights: float = shape.parameters * 4 + (shape.linear * 2 if half else 0)
    elif spec.finetuning_type == "freeze":
        weights = (shape.parameters - trained) * size + trained * (4 + (2 if half else 0))
    elif spec.quantization_bit == 4:
        # A scale a block of 64: single precision, or 8 bit with a second scale for 256 of them.
        scale = (1 + 4 / 256) / 64 if spec.double_quantization else 4 / 64
        weights = shape.linear * (0.5 + scale) + others * size
    elif spec.quantization_bit == 8:
        weights = shape.linear * 1.0 + others * size
    else:
        weights = shape.parameters * size
    is_lora = spec.finetuning_type == "lora"
    # A preference training on an adapter keeps a frozen copy of it: the reference.
    copies = 2 if spec.stage in ("dpo", "kto") and (spec.adapter_name_or_path or spec.pissa_init) else 1
    state = {"adamw_8bit": 2.1, "paged_adamw_8bit": 2.1, "adafactor": 0.1}.get(spec.optim, 8.0)
    return {
        "weights": weights,
        "adapter": 4.0 * trained * copies if is_lora else 0.0,
        "optimizer": state * trained,
    }


def _head(spec: TrainSpec, shape: ModelShape, learned: int, *, half: bool) -> float:
    """Count the bytes of the loss: a chunk of logits with its scores, gradients of hidden state and head.

    Every token counts as learned: how long the questions are is not known here.
    """
    size = 2 if half else 4
    if spec.stage in ("dpo", "kto"):
        # TRL's head: one tile of logits at a time, the hidden state and its gradient in single precision.
        tile = min(learned, TRL_TILE[0]) * min(shape.vocabulary, TRL_TILE[1])
        return float(tile * size + learned * shape.hidden * (size + 4))
    if spec.stage == "orpo":
        # All logits at once, their log-probabilities, the gradient of these, and a copy of the chosen half.
        return float(learned * shape.vocabulary * (3 * size + 2))
    chunk = min(learned, chunk_rows(shape.vocabulary))
    # Logits, the same in single precision, and their log-probabilities.
    logits = chunk * shape.vocabulary * (size + 8) + learned * shape.hidden * size
    if spec.finetuning_type == "full":
        table = shape.hidden * shape.vocabulary
        logits += table * (4 + (size if half else 0))
    return float(logits)


def _activations(spec: TrainSpec, shape: ModelShape, tokens: int, *, half: bool, on_gpu: bool) -> float:
    """Count the bytes of saved activations, and the working memory of one layer's backward pass."""
    each = tokens * _saved_per_token(spec, shape, half=half, on_gpu=on_gpu)
    size = 2 if half else 4
    # Gradients of the widest tensors of the current layer.
    working = tokens * size * (3 * shape.inner + 2 * shape.hidden)
    if spec.quantization_bit == 4:
        working += shape.hidden * shape.inner * size  # one layer's weights unpacked
    if spec.finetuning_type == "lora" and spec.use_dora:
        working += 2 * size * shape.inner**2  # peft gets the adapter's product from a unit matrix
    layers: float = shape.layers
    if spec.finetuning_type == "freeze" and spec.freeze_trainable_layers > 0:
        layers = min(spec.freeze_trainable_layers, shape.layers)
    if spec.gradient_checkpointing:
        return layers * tokens * shape.hidden * _residual_size(spec, half) + each + working
    return layers * each + working


def _residual_size(spec: TrainSpec, half: bool) -> int:
    """Return the bytes of a number in the residual stream: full fine-tuning keeps it in single precision."""
    return 4 if spec.finetuning_type == "full" or not half else 2


def _saved_per_token(spec: TrainSpec, shape: ModelShape, *, half: bool, on_gpu: bool) -> float:
    """Count the bytes of activations that one layer saves per token for its backward pass."""
    size, h, i, q, k = (2 if half else 4), shape.hidden, shape.inner, shape.query, shape.key
    # Of each norm its input, and its output for the layers behind.
    norms = 2 * h * (_residual_size(spec, half) + size)
    attention = size * (2 * q + 2 * k) + 4 * q / 64  # queries, keys, values, output, and a sum per head
    gated = size * 3 * i  # gate, up and their product
    if not on_gpu:
        gated += size * i  # silu's result as well
    elif spec.finetuning_type == "lora" and spec.lora_dropout:
        # Each adapter saves its own input with a dropout mask; no layer saves the input without dropout.
        gated += (size + 1) * (5 * h + q + i) - size * (2 * h + i)
    if spec.finetuning_type == "lora" and spec.use_dora:
        # The magnitude scales the outputs of weight and adapter: both are saved, sums in single precision.
        gated += 2 * size * (q + 2 * k + 2 * h + 2 * i) + 8 * h
    ranks = 7 * size * spec.lora_rank if spec.finetuning_type == "lora" else 0
    return norms + attention + gated + ranks
