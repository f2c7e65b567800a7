"""Checkpoints of a training run: written whole, kept within a limit, found again.

    checkpoints/step_000050/           the model or the adapter, as it is loaded anywhere
    checkpoints/step_000050/resume/    what the loop needs to go on from here (backend.training.resume)

The newest checkpoint alone keeps the whole of `resume`; the best one keeps its weights
there, so that the run can end with them.
"""

import logging
import re
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from backend.data.templates import Renderer
from backend.modeling.methods import save_trained
from backend.training.resume import STATE, LoopState, Resumable
from backend.worker import RunFolder, is_main_process
from studio.contract import TrainSpec
from studio.system.atomic import in_one_step

log = logging.getLogger(__name__)


def step_of(checkpoint: Path) -> int:
    """The step that a checkpoint's folder names."""
    return int(checkpoint.name.removeprefix("step_"))


def checkpoints_of(run: Path) -> list[Path]:
    """List the complete checkpoints of a run folder, oldest step first."""
    found = (run / "checkpoints").glob("step_*")
    return sorted((path for path in found if path.is_dir()), key=step_of)


def newest_resumable(run: Path) -> Path | None:
    """Find the newest checkpoint that a run can be resumed from."""
    return next((path for path in reversed(checkpoints_of(run)) if (path / "resume" / STATE).is_file()), None)


class Checkpoints:
    """The checkpoints of one run. Only the main process writes and removes."""

    def __init__(
        self,
        folder: RunFolder,
        spec: TrainSpec,
        model: Any,
        tokenizer: PreTrainedTokenizerBase,
        renderer: Renderer,
    ) -> None:
        self.folder, self.spec, self.model = folder, spec, model
        self.tokenizer, self.renderer = tokenizer, renderer

    def path(self, step: int) -> Path:
        """Where the checkpoint of this step is or would be."""
        return self.folder.path / "checkpoints" / f"step_{step:06d}"

    def all(self) -> list[Path]:
        """List the complete checkpoints, oldest step first."""
        return checkpoints_of(self.folder.path)

    def write(self, step: int, resumable: Resumable | None, *, best: int | None) -> None:
        """Write the checkpoint of this step and remove those beyond the limit.

        Args:
            resumable: what to go on from; None: the checkpoint is for use only.
            best: step of the best held-out point so far; its checkpoint is kept.
        """
        if not is_main_process():
            return
        target = self.path(step)
        if not target.exists():
            with in_one_step(target) as unfinished:
                try:
                    self._save(unfinished)
                    if resumable:
                        resumable.write(unfinished / "resume")
                except SafetensorError as error:
                    raise as_os_error(error) from error
            log.info("checkpoint %s", target.name)
        elif resumable and resumable.loop.finished:
            (target / "resume").mkdir(exist_ok=True)
            resumable.write_loop(target / "resume")
        self._tidy(step, best)

    def seal(self) -> None:
        """Take away what only a run that goes on would need."""
        if is_main_process():
            for path in self.all():
                shutil.rmtree(path / "resume", ignore_errors=True)

    def discard(self) -> None:
        """Remove every checkpoint."""
        if is_main_process():
            for path in self.all():
                _remove(path)

    def _tidy(self, step: int, best: int | None) -> None:
        """Keep the newest ones up to this step and the best; of `resume`, only what is of use."""
        mine = [path for path in self.all() if step_of(path) <= step]
        # Later ones are of an attempt that was interrupted before this one went on from further back.
        for path in self.all()[len(mine) :]:
            _remove(path)
        others = [path for path in mine if step_of(path) != best]
        limit = self.spec.save_total_limit
        for path in others[:-limit] if limit else []:
            _remove(path)
        for path in mine[:-1]:
            if path.is_dir() and (path / "resume").is_dir():
                _keep_weights_only(path / "resume", keep=step_of(path) == best)

    def _save(self, unfinished: Path) -> None:
        model: PreTrainedModel = self.model
        model.config.use_cache = True  # the Trainer switched it off; whoever loads this wants it
        save_trained(model, unfinished, self.spec)
        # The checkpoint carries the template it was trained with, not the hub's.
        self.tokenizer.chat_template = self.renderer.chat_template
        self.tokenizer.save_pretrained(unfinished)


def _keep_weights_only(resume: Path, *, keep: bool) -> None:
    (resume / STATE).unlink(missing_ok=True)  # first: without it nobody takes the rest for whole
    for file in resume.iterdir():
        if not (keep and file.suffix == ".safetensors"):
            file.unlink()
    if not keep:
        resume.rmdir()


def _remove(checkpoint: Path) -> None:
    """Remove a checkpoint; nobody sees it half removed."""
    doomed = checkpoint.with_name(f".{checkpoint.name}.part")
    checkpoint.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def as_os_error(error: SafetensorError) -> OSError | SafetensorError:
    """The operating system's error that safetensors tells only in words; any other as it is."""
    number = re.search(r"\(os error (\d+)\)", str(error))
    return OSError(int(number[1]), str(error)) if number else error


def state_of(checkpoint: Path) -> LoopState:
    """What the loop wrote down at a resumable checkpoint."""
    return LoopState.model_validate_json((checkpoint / "resume" / STATE).read_bytes())
