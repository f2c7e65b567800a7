"""Diagnose a model folder: what is missing, damaged or unsafe.

Everything is read from the files themselves (JSON, and headers through
`safetensors_headers`); no torch, no transformers, no workspace. This module never changes
a model folder.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

from studio.contract import TemplateName
from studio.language import Language, current_language, say
from studio.modelfiles.safetensors_headers import (
    ModelProblem,
    Shape,
    gguf_only,
    read_weights,
    reason,
)
from studio.modelfiles.token_rows import TOKENIZER_HEAD, tokens_without_row
from studio.modelfiles.tokenizer_files import tokenizer_problem
from studio.system.documents import READ_FAULTS, one_line, parse_json, read_head, read_whole

UNSAFE_VARIABLE = "STUDIO_ALLOW_UNSAFE"
"""A worker's variable: folders whose pickle weights and own code it may load, os.pathsep between them."""
_NO_GENERATOR = (
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
    "ForMaskedLM",
    "ForImageClassification",
    "ForSpeechSeq2Seq",
)


@dataclass(frozen=True, kw_only=True)
class ModelReport:
    """The diagnosis of a model folder; sizes are 0 where nothing could be read."""

    path: Path
    architecture: str
    parameters: int
    size_bytes: int
    template: TemplateName
    problems: tuple[ModelProblem, ...]

    @property
    def errors(self) -> tuple[ModelProblem, ...]:
        """The problems that keep it from loading."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def ok(self) -> bool:
        """Whether it can be loaded: no problem is an error."""
        return not self.errors

    def allowing_unsafe(self) -> "ModelReport":
        """Downgrade to warnings what an admin has allowed: pickle weights and the model's own code."""
        return replace(self, problems=tuple(map(_allowed, self.problems)))

    def to_json(self) -> dict[str, Any]:
        """Build the document of `news-studio models check --json`."""
        return {**asdict(self), "path": str(self.path), "ok": self.ok}


def check_model(path: Path) -> ModelReport:
    """Diagnose a folder: everything that would keep it from loading as a base model."""
    path = path.expanduser().absolute()
    try:
        return _checked(path, _fingerprint(path), current_language.get())
    except READ_FAULTS as error:
        # Of one folder among many: the others are still to be listed.
        return _no_report(path, _unreadable(path, error))


def unsafe_folders() -> set[Path]:
    """Read, in a worker, the folders that an admin has allowed."""
    return {Path(part) for part in os.environ.get(UNSAFE_VARIABLE, "").split(os.pathsep) if part}


def models_below(folder: Path, *, depth: int = 3, most: int = 5000) -> Iterator[Path]:
    """Search below a folder for a config.json, breadth first; hidden folders are skipped.

    Args:
        folder: root of the search.
        depth: levels below it.
        most: folders that are visited; a person who types `/` should not wait for a minute.
    """
    level, visited = [folder], 0
    for _ in range(depth):
        below = [child for parent in level for child in _subfolders(parent)]
        level = []
        for child in below:
            visited += 1
            if visited > most:
                return
            if (child / "config.json").is_file():
                yield child
            else:
                level.append(child)


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(
            child for child in folder.iterdir() if not child.name.startswith(".") and child.is_dir()
        )
    except OSError:
        return []  # not ours to read


def _allowed(problem: ModelProblem) -> ModelProblem:
    """Downgrade a problem to a warning if it is about pickle weights or the model's own code."""
    if problem.code not in ("bin_only", "remote_code"):
        return problem
    return replace(
        problem,
        severity="warning",
        message=say(
            "{message}管理员已允许这个模型使用它们。",
            "{message} An admin has allowed this for this model.",
            message=problem.message,
        ),
        remedy=say(
            "不再需要时，请在模型页撤销许可。", "Revoke it on the Models page when it is no longer needed."
        ),
    )


def _fingerprint(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Fingerprint the folder's files by name, size and time, as a cache key; empty for what is no folder."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else []
        stats = [(file.name, file.stat()) for file in files if file.exists()]
    except OSError:
        return ()
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


# A report is a few hundred bytes; a studio with more models than this checks some anew.
@lru_cache(maxsize=2048)
def _checked(path: Path, fingerprint: object, language: Language) -> ModelReport:
    """Check the folder; the arguments beside `path` are there for the cache."""
    problem = _not_a_model(path)
    config = problem or read_json(path / "config.json")
    if isinstance(config, ModelProblem):
        return _no_report(path, config)
    weights = read_weights(path)
    problems = [_config_problem(path, config), tokenizer_problem(path), *weights.problems]
    if not weights.problems:
        problems.append(_size_mismatch(path, config, weights.shapes))
        problems.append(tokens_without_row(path, weights.shapes))
    problems.append(_remote_code(path, config))
    return ModelReport(
        path=path,
        architecture=_architecture(config),
        parameters=sum(prod(shape) for shape in weights.shapes.values()),
        size_bytes=weights.size_bytes,
        template=_template(path),
        problems=tuple(problem for problem in problems if problem),
    )


def _no_report(path: Path, problem: ModelProblem) -> ModelReport:
    return ModelReport(
        path=path, architecture="", parameters=0, size_bytes=0, template="auto", problems=(problem,)
    )


def _unreadable(path: Path, error: Exception) -> ModelProblem:
    return ModelProblem(
        code="folder_unreadable",
        message=say(
            "{path} 里有无法读取的文件：{why}",
            "{path} has a file that cannot be read: {why}",
            path=path,
            why=reason(error),
        ),
        remedy=say("请重新下载整个模型文件夹。", "Download the whole model folder again."),
    )


def _not_a_model(path: Path) -> ModelProblem | None:
    """Diagnose why the path has no config.json; None if it has one."""
    if path.suffix == ".gguf" and path.is_file():
        return gguf_only(path)
    if path.is_file():
        return _file_instead(path)
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
    inner = next(models_below(path), None)
    if inner or (path.parent / "config.json").exists():
        return _wrong_level(path, inner)
    if any(path.glob("*.gguf")):
        return gguf_only(path)
    return ModelProblem(
        code="config_missing",
        message=say(f"{path} 里没有 config.json。", f"{path} has no config.json."),
        remedy=say("请下载完整的模型文件夹。", "Download the complete model folder."),
    )


def _file_instead(path: Path) -> ModelProblem:
    is_packed = path.suffix in (".zip", ".gz", ".tgz", ".tar", ".7z", ".rar")
    remedy = (
        say("请先解压，再用解压出来的文件夹。", "Unpack it and name the folder.")
        if is_packed
        else say(f"请改用文件夹 {path.parent}。", f"Name the folder {path.parent} instead.")
    )
    return ModelProblem(
        code="file_instead",
        message=say(
            f"{path} 是一个文件；模型是一个文件夹。", f"{path} is a file; a model is a whole folder."
        ),
        remedy=remedy,
    )


def _wrong_level(path: Path, inner: Path | None) -> ModelProblem:
    if inner is None:
        message = say(
            f"{path} 里没有 config.json，模型在上一层。",
            f"{path} has no config.json: the model is the folder above.",
        )
    else:
        message = say(
            f"{path} 里没有 config.json，模型在下一层。",
            f"{path} has no config.json: the model is further down.",
        )
    named = inner or path.parent
    return ModelProblem(
        code="wrong_level", message=message, remedy=say(f"请改用 {named}。", f"Name {named} instead.")
    )


def _adapter_instead(path: Path) -> ModelProblem:
    config = read_json(path / "adapter_config.json")
    base = "?" if isinstance(config, ModelProblem) else one_line(config.get("base_model_name_or_path") or "?")
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


def read_json(path: Path) -> dict[str, Any] | ModelProblem:
    """Read a JSON object, or return the problem that it is none."""
    try:
        document = parse_json(read_whole(path))
        if not isinstance(document, dict):
            raise TypeError(say("不是 JSON 对象", "not a JSON object"))
    except READ_FAULTS as error:
        kind = path.stem if os.path.lexists(path) else f"{path.stem}_missing"
        return ModelProblem(
            code=kind if kind.endswith("_missing") else f"{kind}_unreadable",
            message=say(
                "{path} 无法读取：{why}", "{path} cannot be read: {why}", path=path, why=reason(error)
            ),
            remedy=say(f"请重新下载 {path.name}。", f"Download {path.name} again."),
        )
    return document


def _architecture(config: Mapping[str, Any]) -> str:
    names = config.get("architectures")
    return one_line(names[0] if isinstance(names, list) and names else config.get("model_type", ""), 80)


def _config_problem(path: Path, config: Mapping[str, Any]) -> ModelProblem | None:
    if not config.get("model_type"):
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
    architecture = _architecture(config)
    if architecture.endswith(_NO_GENERATOR) or architecture in ("BertModel", "XLMRobertaModel", "CLIPModel"):
        return ModelProblem(
            code="not_causal",
            message=say(
                f"{path} 是 {architecture}，不是生成文本的语言模型。",
                f"{path} is a {architecture}, which does not generate text.",
            ),
            remedy=say(
                "请选一个因果语言模型（架构名以 ForCausalLM 结尾）。",
                "Choose a causal language model (its architecture ends in ForCausalLM).",
            ),
        )
    return None


def _remote_code(path: Path, config: Mapping[str, Any]) -> ModelProblem | None:
    if not config.get("auto_map"):
        return None
    return ModelProblem(
        code="remote_code",
        severity="warning",
        message=say(
            f"{path} 自带代码（auto_map）；它可以做任何事，因此不运行。",
            f"{path} contains custom code (auto_map); it could do anything and is not run.",
        ),
        remedy=say(
            "transformers 自己认得这个架构就能用；否则需要管理员在模型页允许。",
            "It works if transformers itself knows the architecture;"
            " else an admin has to allow it on the Models page.",
        ),
    )


def _size_mismatch(path: Path, config: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelProblem | None:
    """Detect a config of another model beside these weights, by the width of the embedding."""
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
    """Predict the template that `auto` will choose, from the special tokens."""
    texts = {}
    for name in ("tokenizer_config.json", "chat_template.jinja", "tokenizer.json"):
        texts[name] = read_head(path / name, TOKENIZER_HEAD)
    tokens = texts["tokenizer_config.json"] + texts["tokenizer.json"]
    has_template = bool(texts["chat_template.jinja"]) or '"chat_template"' in texts["tokenizer_config.json"]
    if "<｜User｜>" in tokens or r"<\uff5cUser\uff5c>" in tokens:
        return "deepseekr1"
    if "<|im_start|>" in tokens:
        thinks = "<think>" in tokens or any("enable_thinking" in text for text in texts.values())
        return "qwen3" if thinks else "qwen"
    return "tokenizer" if has_template else "default"
