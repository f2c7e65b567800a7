"""What every worker does around its work: read the spec, tell, finish.

The run folder is the only thing a worker is given. This module knows no model.
"""

import argparse
import importlib.metadata
import logging
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from backend.machine import peak_process_gib
from studio.contract import Event, Result, RunSpec, run_spec, spec_error
from studio.errors import DiskFull, InputError, StudioError, UnreadableFile
from studio.language import current_language, say
from studio.system.atomic import guard_disk

log = logging.getLogger(__name__)

STARTED = time.monotonic()
PACKAGES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "safetensors", "news-studio")
PATIENCE = 5.0
"""Seconds that a run which did not come to its end waits for what is still worked out."""


class Cancelled(Exception):
    """The user asked this run to stop."""


class Paused(Exception):
    """This run stopped in such a way that it can go on; `message` says who asked for it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RunFolder:
    """The worker's side of a run folder. Of several processes, only the main one writes.

    `known` are fields of Result that are known however the run ends; `promised` are those
    that are still worked out, asked for at the end with the seconds that may be waited.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.started = STARTED
        self.known: dict[str, Any] = {}
        self.promised: dict[str, Callable[[float | None], Any]] = {}

    def read_spec(self) -> RunSpec:
        """The spec that studio wrote.

        Raises:
            InputError: missing, not JSON, or a field does not validate.
        """
        file = self.path / "spec.json"
        try:
            return run_spec.validate_json(file.read_bytes())
        except OSError as error:
            raise UnreadableFile(
                say(f"读不到任务参数 {file}。", f"Cannot read the spec {file}."),
                remedy=say(
                    "请从训练页或命令行重新开始。", "Start again from the Train page or the command line."
                ),
            ) from error
        except ValidationError as error:
            problem, remedy = spec_error(error)
            raise InputError(problem, remedy=remedy) from error

    def emit(self, event: Event) -> None:
        """Append one event to metrics.jsonl, whole lines only."""
        self.append("metrics.jsonl", event)

    def append(self, name: str, row: BaseModel) -> None:
        """Append one model as a JSON line."""
        if not is_main_process():
            return
        with (self.path / name).open("a", encoding="utf-8") as file:
            file.write(row.model_dump_json() + "\n")

    def write(self, name: str, document: BaseModel) -> None:
        """Write a JSON document and move it into place in one step."""
        if not is_main_process():
            return
        unfinished = self.path / f".{name}.unfinished"
        unfinished.write_text(document.model_dump_json(indent=2, by_alias=True) + "\n", encoding="utf-8")
        unfinished.replace(self.path / name)

    @property
    def cancel_requested(self) -> bool:
        """Whether the user asked this run to stop."""
        return (self.path / "cancel").exists()

    @property
    def discard_requested(self) -> bool:
        """Whether the user, asking it to stop, wants nothing of it kept."""
        return (self.path / "discard").exists()

    @property
    def pause_requested(self) -> bool:
        """Whether the user asked this run to stop for now."""
        return (self.path / "pause").exists()


def run_worker(work: Callable[[RunFolder], dict[str, Any]]) -> int:
    """The `main` of a worker: one folder as argument, `result.json` at the end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run_folder", type=Path, help="Folder with spec.json.")
    folder = RunFolder(parser.parse_args().run_folder.resolve())
    if os.environ.get("STUDIO_LANG") == "en":
        current_language.set("en")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    return work_in(folder, work)


def work_in(folder: RunFolder, work: Callable[[RunFolder], dict[str, Any]]) -> int:
    """Do the work of one folder and leave `result.json`; the exit code.

    `work` returns the fields of Result that it knows. Every way out, an error of
    our own included, leaves a result that says what happened.
    """
    try:
        with guard_disk(folder.path):
            _finish(folder, "done", **work(folder))
    except Cancelled:
        _finish(folder, "cancelled", message=say("已按要求停止。", "Stopped as asked."))
    except Paused as pause:
        _finish(folder, "paused", message=pause.message)
    except DiskFull as error:
        log.error("%s", error)
        _finish_on_full_disk(folder)
        return 1
    except StudioError as error:
        log.error("%s", error)
        _finish(folder, "failed", message=error.problem, remedy=error.remedy)
        return 1
    except Exception as error:
        # The one broad except: our own bug or the library's must not look like a lost run.
        _finish_crashed(folder, error)
        raise
    return 0


def _finish(folder: RunFolder, status: str, **known: Any) -> None:
    if not is_main_process():
        return
    patience = None if status == "done" else PATIENCE
    promised = {name: wait(patience) for name, wait in folder.promised.items()}
    known = {**folder.known, **promised, **known}
    result = Result.model_validate(
        {
            "status": status,
            "seconds": time.monotonic() - folder.started,
            "peak_memory_gib": peak_process_gib(),
            "checkpoint": _last_checkpoint(folder.path),
            **known,
            "versions": {**_versions(), **known.get("versions", {})},
        }
    )
    folder.write("result.json", result)
    log.info("%s after %.1f s, peak memory %.2f GiB", status, result.seconds, result.peak_memory_gib)


def _finish_crashed(folder: RunFolder, error: Exception) -> None:
    if "out of memory" in str(error).lower():
        message = say("内存不足。", "Out of memory.")
        remedy = say(
            "请减小批大小或 cutoff_len，或改用 LoRA。",
            "Use a smaller batch or cutoff_len, or LoRA instead of full.",
        )
    else:
        message = f"{type(error).__name__}: {error}"
        remedy = say("日志的最后几行说明了原因。", "The last lines of the log say why.")
    _finish(folder, "failed", message=message, remedy=remedy)


def _finish_on_full_disk(folder: RunFolder) -> None:
    message = say(
        "磁盘已满，任务停止；之前的检查点完好。",
        "The disk is full and the run stopped; earlier checkpoints are intact.",
    )
    remedy = say("请清理磁盘后重新开始。", "Free some space and start again.")
    try:
        _finish(folder, "failed", message=message, remedy=remedy)
    except OSError:
        # Not even a small file fits: studio derives the state from the free lock instead.
        log.error("%s %s", message, remedy)


def is_main_process() -> bool:
    """Whether this process writes the results (rank 0, or the only one)."""
    return os.environ.get("RANK", "0") == "0"


def _last_checkpoint(run: Path) -> str | None:
    checkpoints = sorted((run / "checkpoints").glob("step_*"))
    return str(checkpoints[-1].relative_to(run)) if checkpoints else None


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
