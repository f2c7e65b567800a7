"""Base models: find them, and say what is wrong with a folder before anything loads it.

Everything is read from the files themselves (JSON, and headers through `weights`); no
torch, no transformers. This module never changes a model folder.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

from studio.contract import TemplateName
from studio.errors import ModelUnusable
from studio.language import Language, current_language, say
from studio.weights import ModelProblem, Shape, gguf_only, read_weights
from studio.workspace import BUNDLED_MODEL, BUNDLED_NAME, Workspace

_TOKENIZERS = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "spiece.model",
    "vocab.txt",
)
_LORA = re.compile(r"^base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])(?:\.\w+)?\.weight$")


@dataclass(frozen=True, kw_only=True)
class ModelReport:
    """What the files of a model folder say; sizes are 0 where nothing could be read."""

    path: Path
    architecture: str
    parameters: int
    size_bytes: int
    template: TemplateName
    problems: tuple[ModelProblem, ...]

    @property
    def errors(self) -> tuple[ModelProblem, ...]:
        """The problems that stand in the way of loading it."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way of loading it."""
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        """The report as `models check --json` prints it."""
        return {**asdict(self), "path": str(self.path), "ok": self.ok}


@dataclass(frozen=True, kw_only=True)
class BaseModel_:
    """A base model that can be chosen by `name`; `bundled` is the one that ships."""

    name: str
    path: Path
    bundled: bool
    architecture: str
    parameters: int
    size_bytes: int
    template: TemplateName
    problems: tuple[ModelProblem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way of loading it."""
        return not any(problem.severity == "error" for problem in self.problems)


def find_models(workspace: Workspace) -> list[BaseModel_]:
    """The bundled model, then those in the workspace by name, broken ones included."""
    places = {BUNDLED_NAME: BUNDLED_MODEL} if BUNDLED_MODEL.exists() else {}
    places |= {str(path.relative_to(workspace.models)): path for path in _model_folders(workspace.models)}
    return [_base_model(name, path) for name, path in places.items()]


def resolve_model(workspace: Workspace, text: str) -> Path:
    """The folder that `bundled`, a name in the workspace or a path means.

    Raises:
        ModelUnusable: there is none, or it cannot be loaded; with the first reason.
    """
    named = workspace.models / text
    if text == BUNDLED_NAME:
        path = BUNDLED_MODEL
    elif text and named.exists():
        path = named
    else:
        path = Path(text).expanduser().absolute()
    report = check_model(path)
    if report.errors:
        raise ModelUnusable(report.errors[0].message, remedy=report.errors[0].remedy)
    return path


def check_model(path: Path) -> ModelReport:
    """Everything that would keep the folder from loading as a base model."""
    path = path.expanduser().absolute()
    return _checked(path, _fingerprint(path), current_language.get())


def check_adapter(adapter: Path, base: Path) -> list[ModelProblem]:
    """Why the LoRA adapter cannot be put on that base; empty when it can."""
    config = _read_json(adapter / "adapter_config.json")
    if isinstance(config, ModelProblem):
        return [config]
    weights, base_weights = read_weights(adapter, "adapter_model"), read_weights(base)
    if weights.problems or base_weights.problems:
        return [*weights.problems, *base_weights.problems]
    named = str(config.get("base_model_name_or_path") or "")
    misfit = _misfit(weights.shapes, base_weights.shapes)
    if misfit:
        return [_other_base(adapter, base, named, misfit)]
    if named and Path(named).name != base.name:
        return [_base_differs_in_name(adapter, base, named)]
    return []


def _model_folders(parent: Path) -> list[Path]:
    """Folders of models/NAME and, where NAME only groups others, models/NAME/OTHER."""
    found = []
    for folder in sorted(
        path for path in parent.iterdir() if path.is_dir() and not path.name.startswith(".")
    ):
        inner = sorted(path.parent for path in folder.glob("*/config.json"))
        found += inner if inner and not (folder / "config.json").exists() else [folder]
    return found


def _base_model(name: str, path: Path) -> BaseModel_:
    report = check_model(path)
    return BaseModel_(
        name=name,
        path=path,
        bundled=name == BUNDLED_NAME,
        architecture=report.architecture,
        parameters=report.parameters,
        size_bytes=report.size_bytes,
        template=report.template,
        problems=report.problems,
    )


def _fingerprint(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes whenever a file of the folder does; empty for what is no folder."""
    if not path.is_dir():
        return ()
    stats = ((file.name, file.stat()) for file in sorted(path.iterdir()) if file.exists())
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


@lru_cache(maxsize=64)
def _checked(path: Path, fingerprint: object, language: Language) -> ModelReport:
    """The check itself; the arguments beside `path` are there for the cache."""
    problem = _not_a_model(path)
    config = problem or _read_json(path / "config.json")
    if isinstance(config, ModelProblem):
        return ModelReport(
            path=path, architecture="", parameters=0, size_bytes=0, template="auto", problems=(config,)
        )
    weights = read_weights(path)
    problems = [_config_problem(path, config), _tokenizer_problem(path), *weights.problems]
    if not weights.problems:
        problems.append(_size_mismatch(path, config, weights.shapes))
    return ModelReport(
        path=path,
        architecture=_architecture(config),
        parameters=sum(prod(shape) for shape in weights.shapes.values()),
        size_bytes=weights.size_bytes,
        template=_template(path),
        problems=tuple(problem for problem in problems if problem),
    )


def _not_a_model(path: Path) -> ModelProblem | None:
    """The reason why there is no config.json to look at, if there is none."""
    if path.suffix == ".gguf" and path.is_file():
        return gguf_only(path)
    if not path.is_dir():
        return ModelProblem(
            code="folder_missing",
            message=say(f"没有模型文件夹 {path}。", f"There is no model folder {path}."),
            remedy=say(
                "请检查路径；可用的模型见 news-studio models。",
                "Check the path; news-studio models lists what there is.",
            ),
        )
    if (path / "config.json").exists():
        return None
    if (path / "adapter_config.json").exists():
        return _adapter_instead(path)
    inner = [
        found.parent for pattern in ("*", "*/*", "*/*/*") for found in path.glob(f"{pattern}/config.json")
    ]
    if inner:
        return ModelProblem(
            code="wrong_level",
            message=say(
                f"{path} 里没有 config.json，模型在下一层。",
                f"{path} has no config.json: the model is further down.",
            ),
            remedy=say(f"请改用 {inner[0]}。", f"Name {inner[0]} instead."),
        )
    if any(path.glob("*.gguf")):
        return gguf_only(path)
    return ModelProblem(
        code="config_missing",
        message=say(f"{path} 里没有 config.json。", f"{path} has no config.json."),
        remedy=say("请下载完整的模型文件夹。", "Download the complete model folder."),
    )


def _adapter_instead(path: Path) -> ModelProblem:
    config = _read_json(path / "adapter_config.json")
    base = "?" if isinstance(config, ModelProblem) else str(config.get("base_model_name_or_path") or "?")
    return ModelProblem(
        code="adapter_only",
        message=say(
            f"{path} 是 LoRA 适配器，不是基座模型；它的基座是 {base}。",
            f"{path} is a LoRA adapter, not a base model; its base is {base}.",
        ),
        remedy=say(
            "请把这个基座作为模型，把该文件夹作为适配器。",
            "Name that base as the model and this folder as the adapter.",
        ),
    )


def _read_json(path: Path) -> dict[str, Any] | ModelProblem:
    """A JSON object, or the problem that it is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise TypeError(say("不是 JSON 对象", "not a JSON object"))
    except (OSError, ValueError, TypeError) as error:
        kind = path.stem if path.exists() else f"{path.stem}_missing"
        return ModelProblem(
            code=kind if kind.endswith("_missing") else f"{kind}_unreadable",
            message=say(f"{path} 无法读取：{error}", f"{path} cannot be read: {error}"),
            remedy=say(f"请重新下载 {path.name}。", f"Download {path.name} again."),
        )
    return document


def _architecture(config: Mapping[str, Any]) -> str:
    names = config.get("architectures")
    return str(names[0]) if isinstance(names, list) and names else str(config.get("model_type", ""))


def _config_problem(path: Path, config: Mapping[str, Any]) -> ModelProblem | None:
    if config.get("model_type"):
        return None
    return ModelProblem(
        code="config_unreadable",
        message=say(
            f"{path / 'config.json'} 没有 model_type。", f"{path / 'config.json'} has no model_type."
        ),
        remedy=say(
            "请从模型的发布页重新下载 config.json。",
            "Download config.json again from where the model is published.",
        ),
    )


def _tokenizer_problem(path: Path) -> ModelProblem | None:
    present = [path / name for name in _TOKENIZERS if (path / name).exists()]
    if not present:
        return ModelProblem(
            code="tokenizer_missing",
            message=say(f"{path} 里没有分词器。", f"{path} has no tokenizer."),
            remedy=say(
                "请下载 tokenizer.json 和 tokenizer_config.json。",
                "Download tokenizer.json and tokenizer_config.json.",
            ),
        )
    if present[0].name == "tokenizer.json" and not _ends_like_json(present[0]):
        return ModelProblem(
            code="tokenizer_unreadable",
            message=say(f"{present[0]} 不完整。", f"{present[0]} is incomplete."),
            remedy=say("请重新下载 tokenizer.json。", "Download tokenizer.json again."),
        )
    return None


def _ends_like_json(path: Path) -> bool:
    """Whether the last character closes an object; parsing 11 MB for this would take long."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 64))
        return file.read().rstrip().endswith(b"}")


def _size_mismatch(path: Path, config: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelProblem | None:
    """The config of another model beside these weights, told by the width of the embedding."""
    width = config.get("hidden_size")
    table = next((shape for name, shape in shapes.items() if name.endswith("embed_tokens.weight")), None)
    if not isinstance(width, int) or table is None or len(table) != 2 or table[1] == width:
        return None
    return ModelProblem(
        code="config_mismatch",
        message=say(
            f"{path}：config.json 的 hidden_size 是 {width}，权重里是 {table[1]}。",
            f"{path}: config.json says hidden_size {width}, the weights have {table[1]}.",
        ),
        remedy=say(
            "请从同一个来源下载 config.json 和权重。", "Download config.json and the weights from one source."
        ),
    )


def _template(path: Path) -> TemplateName:
    """The template that `auto` will choose, told by the special tokens."""
    texts = {}
    for name in ("tokenizer_config.json", "chat_template.jinja", "tokenizer.json"):
        file = path / name
        texts[name] = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    tokens = texts["tokenizer_config.json"] + texts["tokenizer.json"]
    has_template = bool(texts["chat_template.jinja"]) or '"chat_template"' in texts["tokenizer_config.json"]
    if "<｜User｜>" in tokens or r"<\uff5cUser\uff5c>" in tokens:
        return "deepseekr1"
    if "<|im_start|>" in tokens:
        thinks = "<think>" in tokens or any("enable_thinking" in text for text in texts.values())
        return "qwen3" if thinks else "qwen"
    return "tokenizer" if has_template else "default"


def _misfit(adapter: Mapping[str, Shape], base: Mapping[str, Shape]) -> str | None:
    """The first place where the adapter does not fit the base, in words; None if it fits."""
    known = 0
    for name, shape in adapter.items():
        match = _LORA.match(name)
        target = base.get(f"{match['module']}.weight") if match else None
        if match is None or target is None or len(target) != 2 or len(shape) != 2:
            continue
        known += 1
        # A is (rank, in), B is (out, rank), the weight of a linear layer (out, in).
        found, wanted = (shape[1], target[1]) if match["side"] == "A" else (shape[0], target[0])
        if found != wanted:
            return f"{match['module']}: {found} != {wanted}"
    return None if known else say("没有一层同名", "not one layer of that name")


def _other_base(adapter: Path, base: Path, named: str, misfit: str) -> ModelProblem:
    return ModelProblem(
        code="adapter_other_base",
        message=say(
            f"适配器 {adapter} 不属于基座 {base}（{misfit}）。",
            f"The adapter {adapter} does not belong to the base {base} ({misfit}).",
        ),
        remedy=say(
            f"请选择它训练时的基座：{named or '?'}。", f"Choose the base it was trained on: {named or '?'}."
        ),
    )


def _base_differs_in_name(adapter: Path, base: Path, named: str) -> ModelProblem:
    return ModelProblem(
        code="adapter_base_name",
        severity="warning",
        message=say(
            f"适配器 {adapter} 是在 {named} 上训练的，与 {base} 形状相同但名称不同。",
            f"The adapter {adapter} was trained on {named}; {base} has the same shapes but another name.",
        ),
        remedy=say(
            "若不是同一个模型，请改用它的基座。", "Unless both are the same model, choose its own base."
        ),
    )
