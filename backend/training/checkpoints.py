"""Write checkpoints atomically, prune them to a limit, and find the one to resume from.

    checkpoints/step_000050/           the model or the adapter, as it is loaded anywhere
    checkpoints/step_000050/resume/    the state to resume from (backend.training.resume)

The two newest checkpoints keep the whole of `resume`, so that a damaged one does not end the run; the
best one keeps its weights there, so that the run can end with them.
"""

import logging
import re
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from backend.data.templates import Renderer
from backend.modeling.methods import save_trained
from backend.training.resume import STATE, LoopState, ResumeState
from backend.worker import RunFolder, is_main_process
from studio.contract import TrainSpec
from studio.modelfiles.safetensors_headers import ModelProblem, read_header
from studio.system.atomic import in_one_step
from studio.system.documents import READ_FAULTS, one_line, parse_json, read_whole

log = logging.getLogger(__name__)


def step_of(checkpoint: Path) -> int:
    """Parse the step in the name of a checkpoint's folder."""
    return int(checkpoint.name.removeprefix("step_"))


def checkpoints_of(run: Path) -> list[Path]:
    """List the complete checkpoints of a run folder, oldest step first."""
    found = (run / "checkpoints").glob("step_*")
    return sorted((path for path in found if path.is_dir()), key=step_of)


def newest_resumable(run: Path) -> Path | None:
    """Find the newest sound checkpoint that a run can be resumed from; a damaged one is passed over."""
    return next((path for path in _with_resume_state(run) if damage_of(path) is None), None)


def damaged_checkpoints(run: Path) -> dict[str, str]:
    """Map the checkpoints that are newer than the one to resume from to what is wrong with them."""
    found = {}
    for path in _with_resume_state(run):
        damage = damage_of(path)
        if damage is None:
            break
        found[path.name] = damage
    return found


def _with_resume_state(run: Path) -> list[Path]:
    return [path for path in reversed(checkpoints_of(run)) if (path / "resume" / STATE).exists()]


def damage_of(checkpoint: Path) -> str | None:
    """Check a checkpoint's files as a disk may spoil them: cut short, emptied, overwritten; None: sound."""
    for file in sorted(path for path in checkpoint.rglob("*") if not path.is_dir()):
        try:
            _require_sound(file)
        except READ_FAULTS as error:
            return f"{file.relative_to(checkpoint)}: {one_line(error, 200)}"
        except (zipfile.BadZipFile, zlib.error) as error:
            return f"{file.relative_to(checkpoint)}: {error}"
    return None


def _require_sound(file: Path) -> None:
    """Read one file of a checkpoint.

    Raises:
        ValueError: among others; it is not what was written.
    """
    if file.name == STATE:
        LoopState.model_validate_json(read_whole(file))
    elif file.suffix == ".safetensors":
        header = read_header(file)
        if isinstance(header, ModelProblem):
            raise ValueError(header.message)
    elif file.suffix in (".pt", ".pth"):
        # torch writes a zip, which has a checksum of every part.
        with zipfile.ZipFile(file) as parts:
            if spoiled := parts.testzip():
                raise ValueError(f"{spoiled} is spoiled")
    elif file.suffix == ".json":
        parse_json(read_whole(file))


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
        """Return the folder for the checkpoint of this step."""
        return self.folder.path / "checkpoints" / f"step_{step:06d}"

    def all(self) -> list[Path]:
        """List the complete checkpoints, oldest step first."""
        return checkpoints_of(self.folder.path)

    def write(self, step: int, resume_state: ResumeState | None, *, best: int | None) -> None:
        """Write the checkpoint of this step, and prune those beyond the limit.

        Args:
            step: optimizer steps so far.
            resume_state: to resume from; None: the checkpoint is for use only.
            best: step of the best held-out point so far; its checkpoint is kept.
        """
        if not is_main_process():
            return
        target = self.path(step)
        if not target.exists():
            with in_one_step(target) as unfinished:
                try:
                    self._save(unfinished)
                    if resume_state:
                        resume_state.write(unfinished / "resume")
                except SafetensorError as error:
                    raise as_os_error(error) from error
            log.info("checkpoint %s", target.name)
        elif resume_state and resume_state.loop.finished:
            (target / "resume").mkdir(exist_ok=True)
            resume_state.write_loop(target / "resume")
        self._prune(step, best)

    def drop_resume_states(self) -> None:
        """Remove what only a resumed run would need."""
        if is_main_process():
            for path in self.all():
                shutil.rmtree(path / "resume", ignore_errors=True)

    def discard(self) -> None:
        """Remove every checkpoint."""
        if is_main_process():
            for path in self.all():
                _remove(path)

    def _prune(self, step: int, best: int | None) -> None:
        """Keep the newest up to this step and the best; of `resume`, only what is of use."""
        valid = [path for path in self.all() if step_of(path) <= step]
        # Later ones are of an earlier attempt, from before this one resumed from an older checkpoint.
        for path in self.all()[len(valid) :]:
            _remove(path)
        others = [path for path in valid if step_of(path) != best]
        limit = self.spec.save_total_limit
        for path in others[:-limit] if limit else []:
            _remove(path)
        # The one before the newest keeps its own, for when the newest is damaged.
        for path in valid[:-2]:
            if path.is_dir() and (path / "resume").is_dir():
                _keep_weights_only(path / "resume", keep=step_of(path) == best)

    def _save(self, unfinished: Path) -> None:
        model: PreTrainedModel = self.model
        model.config.use_cache = True  # the Trainer turned it off; generation needs it
        save_trained(model, unfinished, self.spec)
        # The checkpoint carries the template it was trained with, not the hub's.
        self.tokenizer.chat_template = self.renderer.chat_template
        self.tokenizer.save_pretrained(unfinished)


def _keep_weights_only(resume: Path, *, keep: bool) -> None:
    (resume / STATE).unlink(missing_ok=True)  # first: without it nobody takes the rest for complete
    for file in resume.iterdir():
        if not (keep and file.suffix == ".safetensors"):
            file.unlink()
    if not keep:
        resume.rmdir()


def _remove(checkpoint: Path) -> None:
    """Remove a checkpoint; it is never seen half removed."""
    doomed = checkpoint.with_name(f".{checkpoint.name}.part")
    checkpoint.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def as_os_error(error: SafetensorError) -> OSError | SafetensorError:
    """Turn an error that safetensors reports as text into the OSError it was; keep any other."""
    number = re.search(r"\(os error (\d+)\)", str(error))
    return OSError(int(number[1]), str(error)) if number else error


def state_of(checkpoint: Path) -> LoopState:
    """Read the state of the loop at a checkpoint with a resume state."""
    return LoopState.model_validate_json((checkpoint / "resume" / STATE).read_bytes())
