"""Wrap the work of a program: read the spec, emit events, write the result however it ends.

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
PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "trl",
    "accelerate",
    "bitsandbytes",
    "safetensors",
    "news-studio",
)
PENDING_SECONDS = 5.0
"""Longest wait for pending fields of the result where the run was cut short."""


class Cancelled(Exception):
    """A cancel of this run was requested."""


class Paused(Exception):
    """This run stopped and can be resumed; `message` says who requested it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RunFolder:
    """The worker's side of a run folder. Of several processes, only the main one writes.

    `known` are fields of Result that hold however the run ends; `pending` are those still being
    computed: each is called at the end with the seconds it may wait, None for as long as it takes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.started = STARTED
        self.known: dict[str, Any] = {}
        self.pending: dict[str, Callable[[float | None], Any]] = {}

    def read_spec(self) -> RunSpec:
        """Read the spec that studio wrote.

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
        """Whether a cancel was requested."""
        return (self.path / "cancel").exists()

    @property
    def discard_requested(self) -> bool:
        """Whether a cancel was requested that keeps no checkpoint."""
        return (self.path / "discard").exists()

    @property
    def pause_requested(self) -> bool:
        """Whether a pause was requested."""
        return (self.path / "pause").exists()


class PartFolder(RunFolder):
    """A folder inside a run's folder, for a part of its work: events and requests are the run's."""

    def __init__(self, whole: RunFolder, name: str) -> None:
        super().__init__(whole.path / name)
        self.whole = whole
        if is_main_process():
            self.path.mkdir(exist_ok=True)

    def emit(self, event: Event) -> None:
        """Append one event to the run's metrics.jsonl."""
        self.whole.emit(event)

    @property
    def cancel_requested(self) -> bool:
        """Whether a cancel of the run was requested."""
        return self.whole.cancel_requested

    @property
    def pause_requested(self) -> bool:
        """Whether a pause of the run was requested."""
        return self.whole.pause_requested


def run_worker(work: Callable[[RunFolder], dict[str, Any]]) -> int:
    """Run a program from its command line: one folder as argument, `result.json` at the end."""
    os.umask(0o077)  # titles and models are their owner's alone
    parser = argparse.ArgumentParser()
    parser.add_argument("run_folder", type=Path, help="Folder with spec.json.")
    folder = RunFolder(parser.parse_args().run_folder.resolve())
    if os.environ.get("STUDIO_LANG") == "en":
        current_language.set("en")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    return work_in(folder, work)


def work_in(folder: RunFolder, work: Callable[[RunFolder], dict[str, Any]]) -> int:
    """Do the work of one folder, write `result.json`, and return the exit code.

    `work` returns the fields of Result that it knows. Every way out, a bug of our own
    included, leaves a result that says what happened.
    """
    try:
        with guard_disk(folder.path):
            _finish(folder, "done", **work(folder))
    except Cancelled:
        _end(folder, "cancelled", "stopped", say("已按要求停止。", "Stopped as requested."))
    except Paused as pause:
        _end(folder, "paused", "paused", pause.message)
    except DiskFull as error:
        log.error("%s", error)
        _finish_on_full_disk(folder)
        return 1
    except StudioError as error:
        log.error("%s", error)
        _end(folder, "failed", type(error).__name__, error.problem, error.remedy)
        return 1
    except Exception as error:
        # The one broad except: our own bug or the library's must not look like a lost run.
        _finish_crashed(folder, error)
        raise
    return 0


def _end(folder: RunFolder, status: str, code: str, message: str, remedy: str = "") -> None:
    """Finish without a result of the work; whoever reads it may speak the other language."""
    texts = {"message": message, "remedy": remedy}
    _finish(folder, status, code=code, message=str(message), remedy=str(remedy), texts=texts)


def _finish(folder: RunFolder, status: str, **known: Any) -> None:
    if not is_main_process():
        return
    timeout = None if status == "done" else PENDING_SECONDS
    pending = {name: wait(timeout) for name, wait in folder.pending.items()}
    known = {**folder.known, **pending, **known}
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
    _end(folder, "failed", type(error).__name__, message, remedy)


def _finish_on_full_disk(folder: RunFolder) -> None:
    message = say(
        "磁盘已满，任务停止；之前的检查点完好。",
        "The disk is full and the run stopped; earlier checkpoints are intact.",
    )
    remedy = say("请清理磁盘后重新开始。", "Free some space and start again.")
    try:
        _end(folder, "failed", "DiskFull", message, remedy)
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
