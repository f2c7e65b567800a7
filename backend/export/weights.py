"""Stream the weights of a model with its adapter merged: one tensor in memory at a time.

The base's tensors are read from its safetensors one by one; a tensor that the adapter changes is merged
by peft itself in float32, in a model that is otherwise without storage, and rounded once, when it is
written. A model whose files do not name its own parameters is loaded and merged as a whole instead.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import AuxiliaryTrainingWrapper
from safetensors import safe_open
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM

from backend.modeling.adapters import attach_adapter, require_fitting
from backend.modeling.loading import load_model
from backend.modeling.trust import is_allowed, require_safe

log = logging.getLogger(__name__)

_META = torch.device("meta")
_CODES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


class MergedWeights:
    """The parameters of a model with its adapter merged, read by name.

    Args:
        model: folder of the base model.
        adapter: folder of its adapter; None: the base alone.

    Raises:
        ModelUnusable: a folder that cannot be read, or an adapter of another base.
    """

    def __init__(self, model: Path, adapter: Path | None) -> None:
        require_fitting(adapter, model)
        require_safe(model)
        self._files = _files_of_tensors(model)
        self._adapted = _without_storage(model, adapter) if adapter is not None and self._files else None
        self._whole: dict[str, Tensor] = {}
        if not self._files or not self._names_are_the_models():
            log.warning("merged as a whole: the files of %s do not name its parameters", model)
            self._whole = _merged_as_a_whole(model, adapter)
            self._files = {}

    @property
    def names(self) -> list[str]:
        """The names of the parameters, in the order of the files."""
        return list(self._whole or self._files)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a parameter."""
        if self._whole:
            return tuple(self._whole[name].shape)
        with safe_open(self._files[name], framework="pt") as tensors:
            return tuple(tensors.get_slice(name).get_shape())

    def read(self, name: str) -> Tensor:
        """Read a parameter: in float32 where the adapter changes it, else as it is stored."""
        if self._whole:
            return self._whole[name]
        if self._adapted is None:
            return self._stored(name)
        path, _, parameter = name.rpartition(".")
        module = self._adapted.get_base_model().get_submodule(path)
        if isinstance(module, AuxiliaryTrainingWrapper):
            return _trained_whole(module, parameter)
        if not isinstance(module, BaseTunerLayer):
            return self._stored(name)
        return self._merged(module, path, parameter)

    def _merged(self, module: BaseTunerLayer, path: str, parameter: str) -> Tensor:
        base = module.get_base_layer()
        own = [kind for kind, _ in base.named_parameters(recurse=False)]
        for kind in own:
            stored = self._stored(f"{path}.{kind}").to(torch.float32)
            setattr(base, kind, nn.Parameter(stored, requires_grad=False))
        with torch.inference_mode(False), torch.no_grad():
            module.merge(safe_merge=True)
        merged: Tensor = getattr(base, parameter).data
        for kind in own:
            setattr(base, kind, nn.Parameter(getattr(base, kind).to(_META), requires_grad=False))
        module.merged_adapters.clear()
        return merged

    def _stored(self, name: str) -> Tensor:
        with safe_open(self._files[name], framework="pt") as tensors:
            found: Tensor = tensors.get_tensor(name)
        return found

    def _names_are_the_models(self) -> bool:
        """Whether each tensor of the files is a parameter of the model that transformers would build."""
        if self._adapted is None:
            return True
        model = self._adapted.get_base_model()
        try:
            for name in self._files:
                model.get_submodule(name.rpartition(".")[0])
        except AttributeError:
            return False
        return True


@dataclass(frozen=True, kw_only=True, slots=True)
class _Planned:
    """A tensor of a file to be written: its name, shape and size in bytes."""

    name: str
    shape: tuple[int, ...]
    size: int


def write_safetensors(
    weights: MergedWeights, folder: Path, dtype: torch.dtype, *, max_shard_gb: float
) -> None:
    """Write all weights in one type, in shards of at most that many gigabytes, tensor by tensor."""
    shards = _shards(weights, dtype, round(max_shard_gb * 1e9))
    index: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        file = "model.safetensors"
        if len(shards) > 1:
            file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        with (folder / file).open("wb") as out:
            _write_header(out, shard, dtype)
            for tensor in shard:
                values = weights.read(tensor.name).to(dtype).contiguous()
                out.write(values.view(torch.uint8).flatten().numpy().data)
        index |= dict.fromkeys((tensor.name for tensor in shard), file)
    if len(shards) > 1:
        total = sum(tensor.size for shard in shards for tensor in shard)
        document = {"metadata": {"total_size": total}, "weight_map": index}
        (folder / "model.safetensors.index.json").write_text(json.dumps(document, indent=2) + "\n")


def _shards(weights: MergedWeights, dtype: torch.dtype, limit: int) -> Sequence[Sequence[_Planned]]:
    shards: list[list[_Planned]] = [[]]
    filled = 0
    for name in weights.names:
        shape = weights.shape(name)
        size = torch.Size(shape).numel() * dtype.itemsize
        if shards[-1] and filled + size > limit:
            shards.append([])
            filled = 0
        shards[-1].append(_Planned(name=name, shape=shape, size=size))
        filled += size
    return shards


def _write_header(out: IO[bytes], shard: Sequence[_Planned], dtype: torch.dtype) -> None:
    """Write the header of a safetensors file; the library writes only what is in memory as a whole.

    Source: https://github.com/huggingface/safetensors, "Format".
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for tensor in shard:
        span = [offset, offset + tensor.size]
        header[tensor.name] = {"dtype": _CODES[dtype], "shape": tensor.shape, "data_offsets": span}
        offset += tensor.size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    out.write(len(text).to_bytes(8, "little") + text)


def _files_of_tensors(folder: Path) -> dict[str, Path]:
    """Find the file of each tensor; of a tied model without the copy of its embedding."""
    tied = bool(json.loads((folder / "config.json").read_bytes()).get("tie_word_embeddings"))
    found: dict[str, Path] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            found |= dict.fromkeys(tensors.keys(), file)
    if tied:
        found.pop("lm_head.weight", None)
    return found


def _without_storage(model: Path, adapter: Path) -> PeftModel:
    """Build the model without storage, and load the adapter's own tensors into it."""
    allowed = is_allowed(model)
    config = AutoConfig.from_pretrained(model, local_files_only=True, trust_remote_code=allowed)
    with _META:
        bare = AutoModelForCausalLM.from_config(config, dtype=torch.float32, trust_remote_code=allowed)
    return attach_adapter(bare, adapter, model, streamed=True)


def _trained_whole(module: AuxiliaryTrainingWrapper, parameter: str) -> Tensor:
    """Return a parameter of a module that was trained as a whole, not by a low-rank update."""
    found: Tensor = getattr(module.modules_to_save[module.active_adapters[0]], parameter).data
    return found


def _merged_as_a_whole(model: Path, adapter: Path | None) -> dict[str, Tensor]:
    merged = load_model(model, adapter, dtype=torch.bfloat16 if is_large(model) else torch.float32)
    state: Mapping[str, Tensor] = merged.state_dict()
    tied = bool(merged.config.tie_word_embeddings)
    return {name: value for name, value in state.items() if not (tied and name == "lm_head.weight")}


LARGEST_FLOAT32 = 2 * 2**30
"""Weights on disk up to which a model is held in float32; above, it would take twice their size of memory."""


def is_large(model: Path) -> bool:
    """Whether a model is loaded in bfloat16, since in float32 it would take too much memory."""
    return sum(file.stat().st_size for file in model.glob("*.safetensors")) > LARGEST_FLOAT32
