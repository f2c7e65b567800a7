"""When a training evaluates, saves, stops: the decisions between two steps, and the events that tell.

All processes decide the same: what one of them learns from outside (a file, a signal)
is agreed on before anybody acts on it.
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
from backend.training.resume import LoopState, collect, load_weights
from backend.training.trainer import StudioTrainer, require_finite
from backend.worker import RunFolder
from studio.contract import HeldOut, Progress, TrainSpec
from studio.language import say

log = logging.getLogger(__name__)


class Wish(IntEnum):
    """What is asked of a training from outside; the larger one wins."""

    GO_ON = 0
    PAUSE = 1
    END = 2
    CANCEL = 3


@dataclass
class BestPoint:
    """The best held-out point so far, and how many points since brought nothing better."""

    by_accuracy: bool
    step: int | None = None
    value: tuple[float, float] | None = None
    since: int = 0

    def judge(self, metrics: dict[str, float], step: int) -> bool:
        """Take a point into account; whether it is the best. Of equal accuracies the lower loss is better."""
        loss = metrics["eval_loss"]
        value = (metrics["eval_category_accuracy"], -loss) if self.by_accuracy else (-loss, 0.0)
        better = self.value is None or value > self.value
        if better:
            self.step, self.value, self.since = step, value, 0
        else:
            self.since += 1
        return better


class Flow(TrainerCallback):
    """Steers a StudioTrainer: evaluation, checkpoints, early stop, wishes from outside, events."""

    def __init__(
        self, folder: RunFolder, spec: TrainSpec, trainer: StudioTrainer, checkpoints: Checkpoints
    ) -> None:
        self.folder, self.spec, self.trainer, self.checkpoints = folder, spec, trainer, checkpoints
        by_accuracy = spec.metric_for_best_model == "category_accuracy" and bool(trainer.category_accuracy)
        self.best = BestPoint(by_accuracy=by_accuracy)
        self.wish = Wish.GO_ON
        self.stopped_for_now = False
        self.resumed: LoopState | None = None
        self.last_point = 0
        self.seconds_before = 0.0
        self.started = time.monotonic()
        self._signalled = False
        self._handler_before: Any = None
        trainer.save = self.save
        trainer.add_callback(self)

    def resume(self, state: LoopState) -> None:
        """Resume from here; the sums are put back once training begins."""
        self.resumed = state
        self.best.step, self.best.value = state.best_step, state.best_value
        self.best.since = state.points_without_better
        self.seconds_before, self.last_point = state.seconds, state.last_point

    # What the Trainer tells

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock after loading; take over the sums of the interrupted run."""
        self.started = time.monotonic()
        if self.resumed:
            self._put_back(self.resumed)
        self._handler_before = signal.signal(signal.SIGTERM, self._on_sigterm)
        self.folder.emit(Progress(phase="training", done=state.global_step, total=state.max_steps))

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """The order of the samples depends on the epoch."""
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
        self.wish = self._agreed_wish()
        if self.wish == Wish.CANCEL:
            control.should_training_stop, control.should_evaluate = True, False
            control.should_save = not self.folder.discard_requested
        elif self.wish and not last:
            self.stopped_for_now = control.should_training_stop = control.should_save = True

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Tell of a held-out point; keep the best; stop when nothing gets better."""
        metrics: dict[str, float] = kwargs["metrics"]
        better = self.best.judge(metrics, state.global_step)
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
            log.info("stopped: %d held-out points brought nothing better", self.best.since)
            control.should_training_stop, self.stopped_for_now = True, False

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """One Step event for each point of the Trainer's log."""
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
            )
        )
        self.trainer.clipped.zero_()
        self.last_point = state.global_step

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Whoever ends the program from here on ends it at once."""
        if self._handler_before is not None:
            signal.signal(signal.SIGTERM, self._handler_before)

    # Checkpoints

    def save(self, *, train_loss: float | None = None) -> None:
        """Write a checkpoint of the current step that the run can go on from.

        With the `train_loss` of the whole run, training is over and only the evaluation is left.
        """
        step = self.trainer.state.global_step
        self.folder.emit(Progress(phase="saving", done=step, total=self.trainer.state.max_steps))
        resumable = collect(self.trainer, self.state(train_loss))
        self.checkpoints.write(step, resumable, best=self.best.step)
        self.note_best()

    def take_best(self, model: nn.Module) -> None:
        """End with the best checkpoint instead of the last, where the spec says so."""
        self.note_best()
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

    def state(self, train_loss: float | None = None) -> LoopState:
        """Where the loop is. All processes must call it."""
        trainer = self.trainer
        since_point = trainer.pending_loss()
        # A model that is no numbers must not take the place of one that is.
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

    def note_best(self) -> None:
        """Let the result name the best checkpoint, if it was kept."""
        step = self.best.step
        if step is not None and self.checkpoints.path(step).is_dir():
            best = self.checkpoints.path(step).relative_to(self.folder.path)
            self.folder.known["best_checkpoint"] = str(best)

    def _put_back(self, state: LoopState) -> None:
        trainer = self.trainer
        trainer.seen += torch.tensor([state.tokens, state.samples], device=trainer.seen.device)
        trainer.clipped += state.clipped
        trainer.loss_since_point += state.loss_since_point
        trainer.loss_before = state.loss_before

    # Decisions

    def why_paused(self) -> str:
        """Who asked for the pause, for the result."""
        if self.wish == Wish.PAUSE:
            return say("已按要求暂停，可以继续。", "Paused as asked; it can go on.")
        return say(
            "系统要求任务结束，进度已保存，可以继续。",
            "The system ended the run (SIGTERM); its progress is saved and it can go on.",
        )

    def _evaluation_is_due(self, state: TrainerState) -> bool:
        if state.global_step >= state.max_steps:
            return True
        if self.spec.eval_steps:
            return state.global_step % self.spec.eval_steps == 0
        return float(state.epoch or 0.5).is_integer()

    def _agreed_wish(self) -> Wish:
        wish = Wish.END if self._signalled else Wish.GO_ON
        if self.folder.cancel_requested:
            wish = Wish.CANCEL
        elif self.folder.pause_requested:
            wish = max(wish, Wish.PAUSE)
        if self.trainer.args.world_size == 1:
            return wish
        asked = torch.tensor(int(wish), device=self.trainer.args.device)
        torch.distributed.all_reduce(asked, op=torch.distributed.ReduceOp.MAX)
        return Wish(int(asked))

    def _on_sigterm(self, number: int, frame: Any) -> None:
        self._signalled = True
        if self.folder.cancel_requested:
            # It was asked before and a step takes too long.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)

    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.started
