"""Check a LoRA adapter against its base by the headers of their files, before anything is loaded.

What is refused here could not be loaded. What only the model itself can tell, such as modules
that transformers renames or fuses while it loads, is left to the loader. Where the base is, or
by which name the adapter knows it, is no reason: folders are moved, and a hub id is no path.

Source: names and shapes of the saved tensors as in peft, utils/save_and_load.py.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from studio.errors import ModelUnusable
from studio.language import say
from studio.modelfiles.folder_check import read_json
from studio.modelfiles.safetensors_headers import ModelProblem, Shape, read_weights

log = logging.getLogger(__name__)

_PREFIX = "base_model.model."
_LORA = re.compile(
    r"(?P<module>.+?)(?:\.base_layer)?\.lora_(?:embedding_)?(?P<part>A|B|magnitude_vector)(?:\.(?!bias$)\w+)*"
)
_WHOLE = re.compile(r"(?P<module>.+?)(?:\.modules_to_save(?:\.\w+)?)?\.weight")
"""A module that was trained whole and saved beside the adapter; its wrapper was in the name once."""
_LAYER = re.compile(r"(?:^|\.)(?P<number>\d+)\.(?P<rest>.+)")
_OTHER_HEADS = ("score", "classifier", "qa_outputs")
"""Heads that peft saves beside an adapter for classification and for extractive answers."""
_SHOWN = 12
"""Names that an error lists at most."""


@dataclass(frozen=True)
class _Adapter:
    """An adapter's config, and its tensors by the module that they belong to."""

    folder: Path
    config: Mapping[str, Any]
    parts: Mapping[str, Mapping[str, Shape]]
    whole: Mapping[str, Shape]

    @property
    def base_name(self) -> str:
        """The base that it names: a path of another machine, a hub id, or nothing."""
        return str(self.config.get("base_model_name_or_path") or "")

    def reaches_every_layer(self, module: str) -> bool:
        """Whether its config targets a module of this name in whichever layer, by peft's rules."""
        targets = self.config.get("target_modules")
        if self.config.get("layers_to_transform") or self.config.get("exclude_modules"):
            return False
        if isinstance(targets, str):
            return targets == "all-linear"
        return any(_ends_with(module, str(name)) for name in targets or ())


@dataclass(frozen=True)
class _Base:
    """A base model's config and its weights as they are on disk."""

    folder: Path
    config: Mapping[str, Any]
    weights: Mapping[str, Shape]

    @cached_property
    def layers(self) -> int | None:
        """Number of its layers; None where its config does not say."""
        nested = self.config.get("text_config")
        for config in (self.config, nested if isinstance(nested, dict) else {}):
            for name in ("num_hidden_layers", "n_layer", "num_layers"):
                if isinstance(config.get(name), int):
                    return int(config[name])
        return None

    @cached_property
    def names(self) -> set[str]:
        """Every part of every weight's path."""
        return {part for name in self.weights for part in name.split(".")}

    @cached_property
    def linear_names(self) -> list[str]:
        """Last parts of the paths of its matrices: what an adapter can target."""
        matrices = (name for name, shape in self.weights.items() if len(shape) == 2)
        return sorted({_last(name.removesuffix(".weight")) for name in matrices})

    @cached_property
    def _shapes(self) -> Mapping[tuple[int | None, str], list[Shape]]:
        """Shapes of weights by layer and path inside it: checkpoints differ in what stands before."""
        found = defaultdict(list)
        for name, shape in self.weights.items():
            if name.endswith(".weight"):
                found[_in_layer(name.removesuffix(".weight"))].append(shape)
        return found

    @cached_property
    def layers_with(self) -> Mapping[str, set[int]]:
        """Numbers of the layers that have a module, by its path inside them.

        Without layers beyond the config's number: some checkpoints carry a draft head that
        transformers does not load.
        """
        found = defaultdict(set)
        for number, rest in self._shapes:
            if number is not None and (self.layers is None or number < self.layers):
                found[rest].add(number)
        return found

    def shapes_of(self, module: str) -> list[Shape]:
        """Shapes that the module's weight may have; none where the files do not tell."""
        if self.config.get("quantization_config"):
            return []  # packed: the shape on disk is not that of the matrix
        exact = self.weights.get(f"{module}.weight")
        return self._shapes.get(_in_layer(module), []) if exact is None else [exact]


def require_adapter(adapter: Path | None, base: Path) -> None:
    """Refuse an adapter that cannot be loaded on that base; log what only may be wrong.

    Args:
        adapter: folder with adapter_config.json; None: the base alone, which is none of this.
        base: folder of the model it is to be put on.

    Raises:
        ModelUnusable: it does not fit, and where; or its files are not whole.
    """
    for problem in check_adapter(adapter, base) if adapter else ():
        if problem.severity == "warning":
            log.warning("%s %s", problem.message, problem.remedy)
        elif problem.code != "bin_only":  # whether pickles may be read is asked by who reads them
            raise ModelUnusable(problem.message, remedy=problem.remedy)


def check_adapter(adapter: Path, base: Path) -> list[ModelProblem]:
    """List why the adapter cannot be put on that base; empty when it can.

    Reads headers only: milliseconds, whatever the size of the base.
    """
    config, base_config = read_json(adapter / "adapter_config.json"), read_json(base / "config.json")
    if isinstance(config, ModelProblem):
        return [config]
    tensors, weights = read_weights(adapter, "adapter_model"), read_weights(base)
    if tensors.problems:
        return list(tensors.problems)
    if weights.problems:
        # A base of pickles tells nothing before it is loaded; whether it may be is asked there.
        return [problem for problem in weights.problems if problem.code != "bin_only"]
    found = _read_adapter(adapter, config, tensors.shapes)
    on = _Base(base, {} if isinstance(base_config, ModelProblem) else base_config, weights.shapes)
    if str(config.get("peft_type") or "LORA").upper() == "LORA":
        for check in (_empty, _inconsistent, _unknown_module, _other_layers, _other_shape):
            if problem := check(found, on):
                return [problem]
    if found.base_name and _plain_name(found.base_name) != _plain_name(str(base)):
        return [_base_differs_in_name(found, on)]
    return []


def _read_adapter(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Shape]) -> _Adapter:
    parts: dict[str, dict[str, Shape]] = defaultdict(dict)
    whole = {}
    for name, shape in tensors.items():
        path = name.removeprefix(_PREFIX)
        if match := _LORA.fullmatch(path):
            parts[match["module"]][match["part"]] = shape
        elif "lora_" not in path and (match := _WHOLE.fullmatch(path)):
            whole[match["module"]] = shape
    return _Adapter(folder, config, parts, whole)


def _empty(adapter: _Adapter, base: _Base) -> ModelProblem | None:
    """Report a file without tensors, or with tensors of no elements."""
    shapes = [shape for parts in adapter.parts.values() for shape in parts.values()]
    if shapes and all(all(shape) for shape in (*shapes, *adapter.whole.values())):
        return None
    return ModelProblem(
        code="adapter_empty",
        message=say(
            f"适配器 {adapter.folder} 的权重是空的。",
            f"The weights of the adapter {adapter.folder} are empty.",
        ),
        remedy=say(
            "DeepSpeed ZeRO-3 未汇总就保存时会这样；"
            "请打开 stage3_gather_16bit_weights_on_model_save 重新保存。",
            "DeepSpeed ZeRO-3 saves so without gathering: "
            "save again with stage3_gather_16bit_weights_on_model_save.",
        ),
    )


def _inconsistent(adapter: _Adapter, base: _Base) -> ModelProblem | None:
    """Report a config and weights that are not of one checkpoint, or of half of one."""
    reason = _lacking_part(adapter) or _other_rank(adapter) or _lacking_whole(adapter, base)
    if reason is None:
        return None
    return ModelProblem(
        code="adapter_config_mismatch",
        message=say(
            f"适配器 {adapter.folder} 的 adapter_config.json 与权重不一致：{reason}。",
            f"adapter_config.json and the weights of the adapter {adapter.folder} disagree: {reason}.",
        ),
        remedy=say(
            "请从同一个检查点取 adapter_config.json 和 adapter_model.safetensors。",
            "Take adapter_config.json and adapter_model.safetensors from one checkpoint.",
        ),
    )


def _lacking_part(adapter: _Adapter) -> str | None:
    is_dora = bool(adapter.config.get("use_dora"))
    for module, parts in adapter.parts.items():
        for part in ("A", "B"):
            if part not in parts:
                return say(f"{module} 缺少 lora_{part}", f"{module} lacks lora_{part}")
        if is_dora != ("magnitude_vector" in parts):
            return say(
                f"use_dora 为 {is_dora}，而 {module} {'没有' if is_dora else '有'} lora_magnitude_vector",
                f"use_dora is {is_dora}, yet {module} has {'no' if is_dora else 'a'} lora_magnitude_vector",
            )
    return None


def _other_rank(adapter: _Adapter) -> str | None:
    # With a pattern the ranks differ by module.
    told = None if adapter.config.get("rank_pattern") else adapter.config.get("r")
    for module, parts in adapter.parts.items():
        a, b = parts["A"], parts["B"]
        if len(a) == len(b) == 2 and (a[0] != b[1] or told not in (None, a[0])):
            return say(
                f"{module} 的秩是 {a[0]} 和 {b[1]}，配置为 {told}",
                f"{module} has rank {a[0]} and {b[1]}, r is {told}",
            )
    return None


def _lacking_whole(adapter: _Adapter, base: _Base) -> str | None:
    for name in adapter.config.get("modules_to_save") or ():
        is_in_base = any(_ends_with(path.removesuffix(".weight"), str(name)) for path in base.weights)
        if is_in_base and not any(_contains(module, str(name)) for module in adapter.whole):
            return say(f"modules_to_save 中的 {name} 没有权重", f"{name} of modules_to_save has no weights")
    return None


def _unknown_module(adapter: _Adapter, base: _Base) -> ModelProblem | None:
    """Report modules that the base has none of by name."""
    modules = (*adapter.parts, *adapter.whole)
    # Outside of the layers transformers renames more than it keeps, but for the head of another task.
    named = {_last(module) for module in modules if _is_in_layer(module) or _last(module) in _OTHER_HEADS}
    strangers = sorted(named - base.names)
    if not strangers:
        return None
    missing, has = ", ".join(strangers[:_SHOWN]), ", ".join(base.linear_names[:_SHOWN])
    reason = say(f"基座没有模块 {missing}，它有 {has}", f"the base has no module {missing}; it has {has}")
    return _other_base(adapter, base, reason)


def _other_layers(adapter: _Adapter, base: _Base) -> ModelProblem | None:
    """Report more or fewer layers than the base has."""
    for rest, numbers in _layers_of(adapter.parts).items():
        there = base.layers_with.get(rest)
        if not there:
            continue
        missing = there - numbers if base.layers and adapter.reaches_every_layer(rest) else set()
        if beyond := numbers - there:
            reason = say(
                f"{rest} 在适配器里有第 {_spans(numbers)} 层，基座没有其中的第 {_spans(beyond)} 层",
                f"it has {rest} in layers {_spans(numbers)}, the base has no layer {_spans(beyond)} with it",
            )
            return _other_base(adapter, base, reason)
        if missing:
            reason = say(
                f"{rest} 在适配器里只有第 {_spans(numbers)} 层，基座还有第 {_spans(missing)} 层",
                f"it has {rest} in layers {_spans(numbers)} only, the base in {_spans(missing)} as well",
            )
            return _other_base(adapter, base, reason)
    return None


def _other_shape(adapter: _Adapter, base: _Base) -> ModelProblem | None:
    """Report matrices for another width or vocabulary: the first by name, all of them by number."""
    misfits = []
    for module, shape in (*_products(adapter), *adapter.whole.items()):
        known = base.shapes_of(module)
        # Either way round: GPT-2 keeps its matrices transposed, and an embedding's rows are its inputs.
        if known and shape not in known and shape[::-1] not in known:
            misfits.append((module, shape, known[0]))
    misfits += [(module, shape, (rows,)) for module, shape, rows in _other_magnitudes(adapter)]
    if not misfits:
        return None
    module, shape, found = misfits[0]
    if not _is_in_layer(module) and len(set(shape) - set(found)) == 1:
        return _other_vocabulary(adapter, base, module, set(shape) - set(found), set(found) - set(shape))
    more = len(misfits) - 1
    reason = say(
        f"{module} 在适配器里是 {_size(shape)}，在基座里是 {_size(found)}"
        + (f"，另有 {more} 处" if more else ""),
        f"{module} is {_size(shape)} for the adapter and {_size(found)} in the base"
        + (f", and {more} more" if more else ""),
    )
    return _other_base(adapter, base, reason)


def _products(adapter: _Adapter) -> Iterable[tuple[str, Shape]]:
    """Yield each module with the shape of B A, which is that of the matrix it is added to."""
    for module, parts in adapter.parts.items():
        if len(parts["A"]) == len(parts["B"]) == 2:
            yield module, (parts["B"][0], parts["A"][1])


def _other_magnitudes(adapter: _Adapter) -> Iterable[tuple[str, Shape, int]]:
    """Yield DoRA's magnitude vectors that are not as long as B has rows."""
    for module, parts in adapter.parts.items():
        lengths = parts.get("magnitude_vector", ())
        if len(lengths) == 1 and len(parts["B"]) == 2 and lengths[0] != parts["B"][0]:
            yield f"{module}.lora_magnitude_vector", lengths, parts["B"][0]


def _layers_of(modules: Iterable[str]) -> Mapping[str, set[int]]:
    found = defaultdict(set)
    for module in modules:
        number, rest = _in_layer(module)
        if number is not None:
            found[rest].add(number)
    return found


def _in_layer(module: str) -> tuple[int | None, str]:
    """Split a module's path into its layer's number and the rest; outside of layers, None and its name."""
    match = _LAYER.search(module)
    return (int(match["number"]), match["rest"]) if match else (None, _last(module))


def _is_in_layer(module: str) -> bool:
    return _in_layer(module)[0] is not None


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _ends_with(path: str, name: str) -> bool:
    return path == name or path.endswith(f".{name}")


def _contains(path: str, name: str) -> bool:
    return f".{name}." in f".{path}."


def _plain_name(base: str) -> str:
    """Strip a model's name of what a move or a hub changes: its parents, its case, its dots."""
    return Path(base).name.replace("___", ".").casefold()  # ModelScope's cache writes a dot so


def _size(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def _spans(numbers: set[int]) -> str:
    """Write numbers as spans: 0-3, 7."""
    starts = sorted(number for number in numbers if number - 1 not in numbers)
    ends = sorted(number for number in numbers if number + 1 not in numbers)
    return ", ".join(f"{a}-{b}" if a != b else f"{a}" for a, b in zip(starts, ends, strict=True))


def _choose_base(adapter: _Adapter, base: _Base) -> str:
    named = adapter.base_name
    if named and Path(named).absolute() == base.folder.absolute():
        return say(
            "这个文件夹里的模型后来换过：请换回原来的，或重新训练。",
            "The model in that folder was exchanged since: put the former one back, or train again.",
        )
    if not named:
        return say("请选择训练它时用的基座。", "Choose the base it was trained on.")
    return say(f"请选择训练它时用的基座：{named}。", f"Choose the base it was trained on: {named}.")


def _other_base(adapter: _Adapter, base: _Base, reason: str) -> ModelProblem:
    return ModelProblem(
        code="adapter_other_base",
        message=say(
            f"适配器 {adapter.folder} 不适用于基座 {base.folder}：{reason}。",
            f"The adapter {adapter.folder} does not fit the base {base.folder}: {reason}.",
        ),
        remedy=_choose_base(adapter, base),
    )


def _other_vocabulary(
    adapter: _Adapter, base: _Base, module: str, rows: set[int], known: set[int]
) -> ModelProblem:
    trained, found = (_size(tuple(numbers)) for numbers in (rows, known))
    return ModelProblem(
        code="adapter_other_vocabulary",
        message=say(
            f"适配器 {adapter.folder} 的 {module} 有 {trained} 个词元，基座 {base.folder} 有 {found} 个。",
            f"{module} of the adapter {adapter.folder} has {trained} tokens, "
            f"the base {base.folder} has {found}.",
        ),
        remedy=say(
            "训练前扩充过词表：请选用扩充后另存的基座。",
            "The vocabulary was resized before training: choose the base that was saved after that.",
        )
        + say("", " ")
        + _choose_base(adapter, base),
    )


def _base_differs_in_name(adapter: _Adapter, base: _Base) -> ModelProblem:
    return ModelProblem(
        code="adapter_base_name",
        severity="warning",
        message=say(
            f"适配器 {adapter.folder} 是在 {adapter.base_name} 上训练的；{base.folder} 形状相同，名称不同。",
            f"The adapter {adapter.folder} was trained on {adapter.base_name}; "
            f"{base.folder} has the same shapes but another name.",
        ),
        remedy=say(
            "若不是同一个模型，请改用它的基座。", "Unless both are the same model, choose its own base."
        ),
    )
