"""Convert a folder of safetensors to one GGUF file for llama.cpp and Ollama.

Tensors are read, merged, quantized and written one by one, so that a model needs the memory of its
largest tensor.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md for the names and units of the fields.
"""

import json
import logging
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf import MODEL_ARCH, GGMLQuantizationType, LlamaFileType
from numpy.typing import NDArray

from backend.export.gguf_types import FILE_TYPES, GgufType, Mix, encode, require_library
from backend.export.gguf_vocab import Vocabulary, read_vocabulary
from backend.export.weights import MergedWeights
from studio.errors import ModelUnusable
from studio.language import say

log = logging.getLogger(__name__)

_ARCHITECTURES = {
    "Qwen2ForCausalLM": MODEL_ARCH.QWEN2,
    "Qwen3ForCausalLM": MODEL_ARCH.QWEN3,
    "LlamaForCausalLM": MODEL_ARCH.LLAMA,
    "MistralForCausalLM": MODEL_ARCH.LLAMA,
}
_FACTORS = "rope_freqs.weight"


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What was written: the vocabulary, how many tensors of each type, and how many fell back.

    `context`: longest prompt and answer in tokens that the model was made for.
    """

    vocabulary: Vocabulary
    context: int
    types: Mapping[str, int]
    fallbacks: int


def write_gguf(
    folder: Path,
    target: Path,
    kind: GgufType = "f16",
    *,
    weights: MergedWeights | None = None,
    name: str = "",
    sampling: Mapping[str, float] | None = None,
) -> Written:
    """Convert the model of a folder.

    Args:
        folder: config and tokenizer of a model, and its safetensors unless `weights` are given.
        target: the file to write; it appears in one step, whole.
        kind: type of the weights; see gguf_types for what becomes of single tensors.
        weights: where the tensors come from; None: the folder.
        name: what the model calls itself; empty: the folder's name.
        sampling: defaults for llama.cpp, by the name of its field, such as penalty_repeat.

    Raises:
        ModelUnusable: an architecture, a tokenizer or a tensor that GGUF files of ours cannot hold.
        InputError: a weight is too large for 16-bit floats, or a K-quant without the library for it.
    """
    require_library(kind)
    config = json.loads((folder / "config.json").read_bytes())
    arch = _architecture(config)
    weights = weights or MergedWeights(folder, None)
    names = _gguf_names(weights, config, arch)
    shapes = {own: weights.shape(name) for own, name in names.items()}
    vocabulary = read_vocabulary(folder, shapes["token_embd.weight"][0])
    mix = Mix(kind, layers=config["num_hidden_layers"], is_tied="output.weight" not in names)
    kinds = {tensor: mix.type_of(tensor, shape) for tensor, shape in shapes.items()}
    unfinished = target.with_name(f".{target.name}.unfinished")
    writer = gguf.GGUFWriter(unfinished, gguf.MODEL_ARCH_NAMES[arch])
    try:
        _add_fields(writer, config, name or folder.name, FILE_TYPES[kind])
        _add_vocabulary(writer, vocabulary)
        _add_sampling(writer, sampling or {})
        if _rope(config).get("rope_type") == "llama3":
            _announce(writer, _FACTORS, (_head_dim(config) // 2,), GGMLQuantizationType.F32)
        for tensor, shape in shapes.items():
            _announce(writer, tensor, shape, kinds[tensor])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        if _rope(config).get("rope_type") == "llama3":
            writer.write_tensor_data(_llama3_factors(config))
        for tensor, source in names.items():
            values = weights.read(source)
            if arch == MODEL_ARCH.LLAMA:
                values = _interleave(values, source, config)
            writer.write_tensor_data(encode(tensor, values.to(torch.float32).numpy(), kinds[tensor]))
        writer.close()
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    counts = Counter(chosen.name for chosen in kinds.values())
    return Written(
        vocabulary=vocabulary,
        context=int(config["max_position_embeddings"]),
        types=dict(counts),
        fallbacks=mix.fallbacks,
    )


def _architecture(config: Mapping[str, Any]) -> MODEL_ARCH:
    names = config.get("architectures") or ["?"]
    if names[0] not in _ARCHITECTURES:
        raise ModelUnusable(
            say(f"还不能把 {names[0]} 转成 GGUF。", f"{names[0]} cannot be converted to GGUF here."),
            remedy=say(
                f"可以转的有：{'、'.join(_ARCHITECTURES)}；别的请导出 safetensors，用 llama.cpp 的工具转换。",
                f"These can be: {', '.join(_ARCHITECTURES)}. For others export safetensors and use "
                "llama.cpp's own converter.",
            ),
        )
    return _ARCHITECTURES[names[0]]


def _gguf_names(weights: MergedWeights, config: Mapping[str, Any], arch: MODEL_ARCH) -> dict[str, str]:
    """Find each tensor of the model by the name that GGUF gives it."""
    names = gguf.get_tensor_name_map(arch, config["num_hidden_layers"])
    found: dict[str, str] = {}
    for name in weights.names:
        if name.endswith("rotary_emb.inv_freq"):
            continue
        own = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if own is None:
            raise ModelUnusable(
                say(f"GGUF 里没有张量 {name} 的位置。", f"GGUF has no place for the tensor {name}."),
                remedy=say(
                    "如果它是适配器，请先与底座合并再转换。",
                    "If it is an adapter's, merge it into its base first.",
                ),
            )
        found[own] = name
    # llama.cpp reads the embedding where there is no head of its own.
    wanted = {"token_embd.weight", "output_norm.weight"}
    if not config.get("tie_word_embeddings"):
        wanted.add("output.weight")
    if missing := sorted(wanted - set(found)):
        raise ModelUnusable(
            say(f"权重不完整，缺少 {'、'.join(missing)}。", f"The weights lack {', '.join(missing)}."),
            remedy=say("请重新下载或重新导出这个模型。", "Download or export the model again."),
        )
    return found


def _announce(
    writer: gguf.GGUFWriter, tensor: str, shape: tuple[int, ...], kind: GGMLQuantizationType
) -> None:
    plain: dict[GGMLQuantizationType, np.dtype[Any]] = {
        GGMLQuantizationType.F32: np.dtype(np.float32),
        GGMLQuantizationType.F16: np.dtype(np.float16),
    }
    if kind in plain:
        dtype, stored = plain[kind], shape
        size = math.prod(shape) * dtype.itemsize
    else:
        dtype, stored = np.dtype(np.uint8), tuple(gguf.quant_shape_to_byte_shape(shape, kind))
        size = math.prod(stored)
    writer.add_tensor_info(tensor, stored, dtype, size, raw_dtype=kind)


def _interleave(values: torch.Tensor, name: str, config: Mapping[str, Any]) -> torch.Tensor:
    """Pair the rotated dimensions as llama.cpp's llama does: neighbours, not halves."""
    heads = config["num_attention_heads"]
    kinds = {"q_proj": heads, "k_proj": config.get("num_key_value_heads") or heads}
    count = kinds.get(name.split(".")[-2])
    if count is None:
        return values
    rest = values.shape[1:]
    halves = values.reshape(count, 2, values.shape[0] // count // 2, *rest)
    return halves.transpose(1, 2).reshape(values.shape).contiguous()


def _add_fields(writer: gguf.GGUFWriter, config: Mapping[str, Any], name: str, kind: LlamaFileType) -> None:
    heads = config["num_attention_heads"]
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(name)
    writer.add_file_type(kind)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_key_length(_head_dim(config))
    writer.add_value_length(_head_dim(config))
    writer.add_rope_dimension_count(_head_dim(config))
    _add_rope(writer, config)


def _head_dim(config: Mapping[str, Any]) -> int:
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


def _rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """Read the rotary embedding: one object in transformers 5, two fields before."""
    found = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    found.setdefault("rope_theta", config.get("rope_theta", 10000.0))
    found["rope_type"] = found.get("rope_type") or found.get("type") or "default"
    return found


def _add_rope(writer: gguf.GGUFWriter, config: Mapping[str, Any]) -> None:
    rope = _rope(config)
    writer.add_rope_freq_base(float(rope["rope_theta"]))
    kind = rope["rope_type"]
    if kind in ("default", "llama3"):
        return
    scaling = {"linear": gguf.RopeScalingType.LINEAR, "yarn": gguf.RopeScalingType.YARN}
    if kind not in scaling:
        raise ModelUnusable(
            say(f"还不能转换位置编码 {kind}。", f"The position encoding {kind} cannot be converted here."),
            remedy=say("请用 llama.cpp 自己的工具转换。", "Use llama.cpp's own converter."),
        )
    writer.add_rope_scaling_type(scaling[kind])
    writer.add_rope_scaling_factor(float(rope["factor"]))
    if kind == "yarn":
        original = rope.get("original_max_position_embeddings") or config["max_position_embeddings"]
        writer.add_rope_scaling_orig_ctx_len(int(original))


def _llama3_factors(config: Mapping[str, Any]) -> NDArray[np.float32]:
    """Compute by what Llama 3's scaling divides each frequency.

    Source: transformers, modeling_rope_utils.py, llama3.
    """
    rope, size = _rope(config), _head_dim(config)
    wavelengths = 2 * math.pi * float(rope["rope_theta"]) ** (np.arange(0, size, 2) / size)
    low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    turns = float(rope["original_max_position_embeddings"]) / wavelengths
    smooth = np.clip((turns - low) / (high - low), 0, 1)
    factors: NDArray[np.float32] = (1 / ((1 - smooth) / float(rope["factor"]) + smooth)).astype(np.float32)
    return factors


def _add_vocabulary(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(list(vocabulary.tokens))
    writer.add_token_types(list(vocabulary.types))
    writer.add_token_merges(list(vocabulary.merges))
    writer.add_add_bos_token(vocabulary.add_bos)
    writer.add_eos_token_id(vocabulary.eos)
    if vocabulary.bos is not None:
        writer.add_bos_token_id(vocabulary.bos)
    if vocabulary.pad is not None:
        writer.add_pad_token_id(vocabulary.pad)
    for add, token in zip((writer.add_eot_token_id, writer.add_eom_token_id), vocabulary.ends, strict=False):
        add(token)
    if vocabulary.chat_template:
        writer.add_chat_template(vocabulary.chat_template)
    if vocabulary.left_out:
        log.warning("left out, they have no row in the embedding: %s", " ".join(vocabulary.left_out))


def _add_sampling(writer: gguf.GGUFWriter, sampling: Mapping[str, float]) -> None:
    for field, value in sampling.items():
        getattr(writer, f"add_sampling_{field}")(value)
