"""Run tasks of lm-evaluation-harness that are in a local folder: their YAML and their data, no network.

The harness is an extra, imported here alone. A task that brings Python of its own (`!function`) is refused:
a folder of tasks is data, and nothing of it is executed.
"""

import contextlib
import hashlib
import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from studio.contract import ProbeAnswer
from studio.errors import InputError
from studio.language import say

METRICS = ("acc", "exact_match", "em")
"""Metrics of a document that are right or wrong, in the order in which they are looked for."""
_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


@dataclass(frozen=True, kw_only=True)
class TaskAnswers:
    """The answers to a task by `task/document`, and the share that guessing gets right."""

    name: str
    answers: Mapping[str, ProbeAnswer]
    chance: float


def tasks_sha256(folder: Path) -> str:
    """Hash a folder of tasks: the names and contents of its files."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(folder)}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def run_tasks(folder: Path, model: PreTrainedModel, tokenizer: Any, batch_size: int) -> list[TaskAnswers]:
    """Run every task of a folder on a loaded model, as the harness does it: without a chat template.

    Raises:
        InputError: the harness is not installed, or the folder has no task that it can run offline.
    """
    names = _task_names(folder)
    with _offline_in(folder):
        try:
            import lm_eval
            from lm_eval.models.huggingface import HFLM
            from lm_eval.tasks import TaskManager

            found = lm_eval.simple_evaluate(
                model=HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size),
                tasks=list(names),
                task_manager=TaskManager(include_path=str(folder), include_defaults=False),
                bootstrap_iters=0,
                log_samples=True,
            )
        except InputError:
            raise
        except (ImportError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise _unusable(folder, f"{type(error).__name__}: {error}") from error
    assert found is not None, "only other ranks than the first get nothing"
    return [_answers(folder, name, samples) for name, samples in found["samples"].items()]


def _task_names(folder: Path) -> Sequence[str]:
    """Read the names of the tasks; refuse what would run code.

    Raises:
        InputError: no task, code in one, or no harness.
    """
    # Here, since only this worker reads YAML.
    import yaml

    if importlib.util.find_spec("lm_eval") is None:
        raise InputError(
            say("没有安装 lm-evaluation-harness。", "lm-evaluation-harness is not installed."),
            remedy=say(
                "请在运行任务的环境里执行 pip install 'news-studio[lm-eval]'，或不用 --tasks。",
                "In the workers' environment: pip install 'news-studio[lm-eval]'; or leave --tasks out.",
            ),
        )
    names = []
    for file in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")]):
        text = file.read_text(encoding="utf-8")
        if "!function" in text:
            raise _unusable(folder, say("{file} 里有 !function", "{file} has !function", file=file.name))
        try:
            task = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise _unusable(folder, str(error)) from error
        if isinstance(task, dict) and isinstance(task.get("task"), str):
            names.append(task["task"])
    if not names:
        raise _unusable(folder, say("没有带 task 的 YAML 文件", "no YAML file in it names a task"))
    return names


@contextlib.contextmanager
def _offline_in(folder: Path) -> Iterator[None]:
    """Keep the libraries off the network, and read the data that a task names from its folder."""
    before = {name: os.environ.get(name) for name in _OFFLINE}
    os.environ.update(_OFFLINE)
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _answers(folder: Path, name: str, samples: Sequence[Mapping[str, Any]]) -> TaskAnswers:
    """Take over the documents of a task, each right or wrong.

    Raises:
        InputError: its metric is none of METRICS.
    """
    metric = next((each for each in METRICS if samples and each in samples[0]), None)
    if metric is None:
        known = ", ".join(METRICS)
        raise _unusable(folder, say(f"{name} 没有指标 {known}", f"{name} has none of the metrics {known}"))
    # Where a document has several log likelihoods, they are those of its choices.
    choices = [len(sample["resps"]) for sample in samples]
    return TaskAnswers(
        name=name,
        answers={
            f"{name}/{sample['doc_id']}": ProbeAnswer(text=_text(sample), right=float(sample[metric]) == 1)
            for sample in samples
        },
        chance=sum(1 / count for count in choices if count > 1) / len(choices),
    )


def _text(sample: Mapping[str, Any]) -> str:
    """Name the chosen answer: the place of the likeliest choice, or the text that was written."""
    found = sample["filtered_resps"]
    if len(found) > 1:
        likelihoods = [float(each[0]) for each in found]
        return str(likelihoods.index(max(likelihoods)))
    return str(found[0])[:500]


def _unusable(folder: Path, why: str) -> InputError:
    return InputError(
        say(
            "{folder} 里的任务不能运行：{why}。",
            "The tasks in {folder} cannot be run: {why}.",
            folder=folder,
            why=why,
        ),
        remedy=say(
            "任务要有 YAML 和本地数据（dataset_path: json 加 data_files），不带 Python 代码。",
            "A task needs its YAML and local data (dataset_path: json with data_files), and no Python.",
        ),
    )
