"""Decide between two steps when to evaluate, save and stop, and emit the events of a training.

All processes decide the same: a request that one of them sees (a file, a signal) is
agreed on before any of them acts on it.
"""

import logging
import signal
import time
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import torch
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from backend.training.checkpoints import Checkpoints
from backend.training.controlled_trainer import ControlledTrainer
from backend.training.losses import require_finite
from backend.training.resume import LoopState, load_weights, resume_state
from backend.worker import RunFolder
from studio.contract import HeldOut, Progress, TrainSpec
from studio.language import say

log = logging.getLogger(__name__)


class StopRequest(IntEnum):
    """A request to stop the training; of several, the larger one wins."""

    NONE = 0
    PAUSE = 1
    TERMINATE = 2
    CANCEL = 3


@dataclass
class BestPoint:
    """The best held-out point so far, and the number of points since without improvement."""

    by_accuracy: bool
    step: int | None = None
    value: tuple[float, float] | None = None
    since: int = 0

    def update(self, metrics: dict[str, float], step: int) -> bool:
        """Update with a new point; return whether it is the best. On equal accuracy the lower loss wins."""
        loss = metrics["eval_loss"]
        value = (metrics["eval_category_accuracy"], -loss) if self.by_accuracy else (-loss, 0.0)
        better = self.value is None or value > self.value
        if better:
            self.step, self.value, self.since = step, value, 0
        else:
            self.since += 1
        return better


class LoopControl(TrainerCallback):
    """Controls a trainer: evaluation, checkpoints, early stopping, stop requests, events."""

    def __init__(
        self, folder: RunFolder, spec: TrainSpec, trainer: ControlledTrainer, checkpoints: Checkpoints
    ) -> None:
        self.folder, self.spec, self.trainer, self.checkpoints = folder, spec, trainer, checkpoints
        by_accuracy = spec.metric_for_best_model == "category_accuracy" and bool(trainer.category_accuracy)
        self.best = BestPoint(by_accuracy=by_accuracy)
        self.request = StopRequest.NONE
        self.is_pausing = False
        self.resumed: LoopState | None = None
        self.last_point = 0
        self.seconds_before = 0.0
        self.started = time.monotonic()
        self._signalled = False
        self._handler_before: Any = None
        trainer.save = self.save
        trainer.add_callback(self)

    def resume(self, state: LoopState) -> None:
        """Resume from this state; its sums are restored when training begins."""
        self.resumed = state
        self.best.step, self.best.value = state.best_step, state.best_value
        self.best.since = state.points_without_better
        self.seconds_before, self.last_point = state.seconds, state.last_point

    # Callbacks of the Trainer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock after loading; restore the sums of the interrupted run."""
        self.started = time.monotonic()
        if self.resumed:
            self._restore_sums(self.resumed)
        self._handler_before = signal.signal(signal.SIGTERM, self._on_sigterm)
        self.folder.emit(Progress(phase="training", done=state.global_step, total=state.max_steps))

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Set the epoch, which the order of the samples depends on."""
        assert self.trainer.batches
        self.trainer.batches.epoch = round((state.epoch or 0) * 1e6) // 10**6

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Decide what follows this step. The Trainer then logs, evaluates and saves, in this order."""
        last = state.global_step >= state.max_steps
        if last:
            control.should_training_stop = control.should_log = True
        control.should_evaluate = self.trainer.eval_dataset is not None and self._evaluation_is_due(state)
        if self.spec.save_steps and state.global_step % self.spec.save_steps == 0 and not last:
            control.should_save = True
        self.request = self._agreed_request()
        if self.request == StopRequest.CANCEL:
            control.should_training_stop, control.should_evaluate = True, False
            control.should_save = not self.folder.discard_requested
        elif self.request and not last:
            self.is_pausing = control.should_training_stop = control.should_save = True

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Emit a held-out point; keep the best; stop early without improvement."""
        metrics: dict[str, float] = kwargs["metrics"]
        better = self.best.update(metrics, state.global_step)
        self.folder.emit(
            HeldOut(
                step=state.global_step,
                epoch=float(state.epoch or 0),
                loss=metrics["eval_loss"],
                loss_error=metrics.get("eval_loss_error"),
                accuracy=metrics.get("eval_category_accuracy"),
                rows=int(metrics.get("eval_rows", 0)),
                best=better,
            )
        )
        if better and self.spec.load_best_model_at_end and state.global_step < state.max_steps:
            control.should_save = True
        patience = self.spec.early_stopping_steps
        if patience and self.best.since >= patience:
            log.info("early stopping: %d held-out points without improvement", self.best.since)
            control.should_training_stop, self.is_pausing = True, False

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Emit a Step event for each point of the Trainer's log."""
        logs: dict[str, Any] = kwargs["logs"]
        if "loss" not in logs:
            return
        steps = max(state.global_step - self.last_point, 1)
        # Not logs["loss"]: after a resume that lacks the steps before the interruption.
        loss = self.trainer.take_loss() / steps
        require_finite(loss, state.global_step)
        self.folder.emit(
            self.trainer.point(
                logs,
                elapsed=self._seconds(),
                loss=loss,
                learning_rate=logs["learning_rate"],
                clipped=min(1.0, float(self.trainer.clipped) / steps),
                preferred=logs.get("rewards/accuracies"),
                margin=logs.get("rewards/margins"),
            )
        )
        self.trainer.clipped.zero_()
        self.last_point = state.global_step

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Restore the signal handler: from here on SIGTERM ends the program at once."""
        if self._handler_before is not None:
            signal.signal(signal.SIGTERM, self._handler_before)

    # Checkpoints

    def save(self, *, train_loss: float | None = None) -> None:
        """Write a checkpoint of the current step to resume from.

        With the `train_loss` of the whole run, training is over and only the evaluation is left.
        """
        step = self.trainer.state.global_step
        self.folder.emit(Progress(phase="saving", done=step, total=self.trainer.state.max_steps))
        state = resume_state(self.trainer, self.loop_state(train_loss))
        self.checkpoints.write(step, state, best=self.best.step)
        self.record_best()

    def restore_best(self, model: nn.Module) -> None:
        """Restore the weights of the best checkpoint, where the spec ends with it."""
        self.record_best()
        if self.end_step == self.trainer.state.global_step:
            return
        load_weights(model, self.checkpoints.path(self.end_step))
        self.folder.known["checkpoint"] = self.folder.known["best_checkpoint"]
        log.info("the run ends with the checkpoint of step %d, its best", self.end_step)

    @property
    def end_step(self) -> int:
        """The step whose checkpoint the run ends with: the last one, or the best where the spec says so."""
        best = self.best.step if self.spec.load_best_model_at_end else None
        return self.trainer.state.global_step if best is None else best

    def loop_state(self, train_loss: float | None = None) -> LoopState:
        """Collect the state of the loop. All processes must call it."""
        trainer = self.trainer
        since_point = trainer.pending_loss()
        # NaN weights must not replace a sound checkpoint.
        require_finite(since_point, trainer.state.global_step)
        tokens, samples = trainer.seen.tolist()
        return LoopState(
            step=trainer.state.global_step,
            finished=train_loss is not None,
            train_loss=train_loss,
            seconds=self._seconds(),
            tokens=tokens,
            samples=samples,
            clipped=float(trainer.clipped),
            loss_since_point=since_point,
            loss_before=trainer.loss_before,
            last_point=self.last_point,
            best_step=self.best.step,
            best_value=self.best.value,
            points_without_better=self.best.since,
        )

    def record_best(self) -> None:
        """Record the best checkpoint in the result, if it was kept."""
        step = self.best.step
        if step is not None and self.checkpoints.path(step).is_dir():
            best = self.checkpoints.path(step).relative_to(self.folder.path)
            self.folder.known["best_checkpoint"] = str(best)

    def _restore_sums(self, state: LoopState) -> None:
        trainer = self.trainer
        trainer.seen += torch.tensor([state.tokens, state.samples], device=trainer.seen.device)
        trainer.clipped += state.clipped
        trainer.loss_since_point += state.loss_since_point
        trainer.loss_before = state.loss_before

    # Decisions

    def pause_reason(self) -> str:
        """Say who requested the pause, for the result."""
        if self.request == StopRequest.PAUSE:
            return say("已按要求暂停，可以继续。", "Paused as requested; it can be resumed.")
        return say(
            "系统要求任务结束，进度已保存，可以继续。",
            "The system ended the run (SIGTERM); its progress is saved and it can be resumed.",
        )

    def _evaluation_is_due(self, state: TrainerState) -> bool:
        if state.global_step >= state.max_steps:
            return True
        if self.spec.eval_steps:
            return state.global_step % self.spec.eval_steps == 0
        return float(state.epoch or 0.5).is_integer()

    def _agreed_request(self) -> StopRequest:
        request = StopRequest.TERMINATE if self._signalled else StopRequest.NONE
        if self.folder.cancel_requested:
            request = StopRequest.CANCEL
        elif self.folder.pause_requested:
            request = max(request, StopRequest.PAUSE)
        if self.trainer.args.world_size == 1:
            return request
        agreed = torch.tensor(int(request), device=self.trainer.args.device)
        torch.distributed.all_reduce(agreed, op=torch.distributed.ReduceOp.MAX)
        return StopRequest(int(agreed))

    def _on_sigterm(self, number: int, frame: Any) -> None:
        self._signalled = True
        if self.folder.cancel_requested:
            # A cancel was requested before, and a step takes too long.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)

    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.started
