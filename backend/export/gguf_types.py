"""Choose the type of each tensor of a GGUF file, and quantize it.

The mixes are those of llama.cpp's own quantizer: vectors stay exact, and of `q4_k_m` some matrices get
six bit. Rows that are no multiple of 256 have no K-quant: they fall back to the next type with blocks of
32, which is larger, and are counted. Embedding and head keep eight bit where the rest has four or five
of the older types: they are what a small model loses its answers by.

Source: https://github.com/ggml-org/llama.cpp, src/llama-quant.cpp, for the mixes and the fallbacks.
"""

import importlib.util
from dataclasses import dataclass, field
from typing import Any, Literal

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import LlamaFileType
from numpy.typing import NDArray

from studio.errors import InputError
from studio.language import say

GgufType = Literal[
    "f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_1", "q5_0", "q4_k_m", "q4_k_s", "q4_1", "q4_0",
    "q3_k_m",
]  # fmt: skip
FILE_TYPES = {
    "f32": LlamaFileType.ALL_F32,
    "f16": LlamaFileType.MOSTLY_F16,
    "bf16": LlamaFileType.MOSTLY_BF16,
    "q8_0": LlamaFileType.MOSTLY_Q8_0,
    "q6_k": LlamaFileType.MOSTLY_Q6_K,
    "q5_k_m": LlamaFileType.MOSTLY_Q5_K_M,
    "q5_1": LlamaFileType.MOSTLY_Q5_1,
    "q5_0": LlamaFileType.MOSTLY_Q5_0,
    "q4_k_m": LlamaFileType.MOSTLY_Q4_K_M,
    "q4_k_s": LlamaFileType.MOSTLY_Q4_K_S,
    "q4_1": LlamaFileType.MOSTLY_Q4_1,
    "q4_0": LlamaFileType.MOSTLY_Q4_0,
    "q3_k_m": LlamaFileType.MOSTLY_Q3_K_M,
}
_USUAL = {
    "q6_k": Type.Q6_K,
    "q5_k_m": Type.Q5_K,
    "q4_k_m": Type.Q4_K,
    "q4_k_s": Type.Q4_K,
    "q3_k_m": Type.Q3_K,
}
_LEGACY = ("q5_1", "q5_0", "q4_1", "q4_0")
_FALLBACKS = {Type.Q3_K: Type.Q4_0, Type.Q4_K: Type.Q5_0, Type.Q5_K: Type.Q5_1, Type.Q6_K: Type.Q8_0}
"""By the K-quant, the type with blocks of 32. llama.cpp takes IQ4_NL for Q3_K, which is slow to write."""
K_BLOCK = 256
EMBEDDING, HEAD = "token_embd.weight", "output.weight"


def is_k_quant(kind: str) -> bool:
    """Whether a type is a mix of K-quants."""
    return kind in _USUAL


def require_library(kind: str) -> None:
    """Refuse a K-quant where the library that writes them is missing.

    Raises:
        InputError: libgguf is not installed.
    """
    if is_k_quant(kind) and importlib.util.find_spec("libgguf") is None:
        raise InputError(
            say(
                f"{kind} 需要 libgguf 才能写出，这里没有安装。",
                f"Writing {kind} needs libgguf, which is missing.",
            ),
            remedy=say(
                "pip install 'news-studio[quants]'，或改选 q8_0、q4_0 等不需要它的类型。",
                "pip install 'news-studio[quants]', or choose a type that needs none, such as q8_0 or q4_0.",
            ),
        )


@dataclass
class Mix:
    """The types of a file's tensors.

    Args:
        kind: what the file is called by.
        layers: of the model.
        is_tied: the embedding is the head as well.
    """

    kind: GgufType
    layers: int
    is_tied: bool
    fallbacks: int = field(default=0, init=False)

    def type_of(self, tensor: str, shape: tuple[int, ...]) -> Type:
        """Choose the type of a tensor, and count it where it falls back."""
        if len(shape) == 1:
            return Type.F32
        chosen = self._wanted(tensor)
        if chosen in _FALLBACKS and shape[-1] % K_BLOCK:
            chosen = _FALLBACKS[chosen]
            self.fallbacks += 1
        block, _ = gguf.GGML_QUANT_SIZES[chosen]
        return chosen if shape[-1] % block == 0 else Type.F16

    def _wanted(self, tensor: str) -> Type:
        if self.kind not in _USUAL:
            is_end = tensor in (EMBEDDING, HEAD)
            return Type.Q8_0 if self.kind in _LEGACY and is_end else Type[self.kind.upper()]
        if tensor == HEAD or (tensor == EMBEDDING and self.is_tied):
            return Type.Q6_K
        layer, part = _position(tensor)
        if part == "attn_v":
            return self._of_values(layer)
        if part == "ffn_down":
            return self._of_down(layer)
        if part == "attn_output" and self.kind == "q3_k_m":
            return Type.Q4_K
        return _USUAL[self.kind]

    def _of_values(self, layer: int) -> Type:
        if self.kind in ("q4_k_m", "q5_k_m") and self._gets_more_bits(layer):
            return Type.Q6_K
        if self.kind == "q4_k_s" and layer < 4:
            return Type.Q5_K
        if self.kind == "q3_k_m":
            return Type.Q5_K if layer < 2 else Type.Q4_K
        return _USUAL[self.kind]

    def _of_down(self, layer: int) -> Type:
        if self.kind in ("q4_k_m", "q5_k_m") and self._gets_more_bits(layer):
            return Type.Q6_K
        if self.kind == "q4_k_s" and layer < self.layers // 8:
            return Type.Q5_K
        if self.kind == "q3_k_m":
            return Type.Q5_K if layer < self.layers // 16 else Type.Q4_K
        return _USUAL[self.kind]

    def _gets_more_bits(self, layer: int) -> bool:
        """Whether the layer is among the first and last eighth, or every third between them."""
        eighth = self.layers // 8
        return layer < eighth or layer >= 7 * self.layers // 8 or (layer - eighth) % 3 == 2


def _position(tensor: str) -> tuple[int, str]:
    """Return layer and part of `blk.3.attn_v.weight`; -1 and its name for what is in no layer."""
    parts = tensor.split(".")
    return (int(parts[1]), parts[2]) if parts[0] == "blk" else (-1, parts[0])


def encode(tensor: str, values: NDArray[np.float32], kind: Type) -> NDArray[Any]:
    """Encode a tensor.

    Raises:
        InputError: a weight is too large for 16-bit floats.
    """
    if kind == Type.F32:
        return values
    if kind == Type.F16:
        if np.abs(values).max(initial=0.0) > np.finfo(np.float16).max:
            raise InputError(
                say(
                    f"{tensor} 里有超出 16 位浮点范围的权重。",
                    f"{tensor} holds weights beyond the range of 16-bit floats.",
                ),
                remedy=say("请改用 bf16 或 q8_0。", "Use bf16 or q8_0 instead."),
            )
        return values.astype(np.float16)
    if kind in _FALLBACKS:
        return _encode_k(values, kind)
    encoded: NDArray[Any] = gguf.quants.quantize(values, kind)
    return encoded


def _encode_k(values: NDArray[np.float32], kind: Type) -> NDArray[np.uint8]:
    import libgguf

    rows, width = values.shape
    raw = libgguf.quantize_rows_raw(int(kind), np.ascontiguousarray(values), rows, width)
    return np.frombuffer(raw, dtype=np.uint8).reshape(gguf.quant_shape_to_byte_shape(values.shape, kind))
