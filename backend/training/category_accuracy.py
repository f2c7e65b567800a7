"""Score the categories of held-out rows during training: the category accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from backend.data.labelled_rows import LabelledRow, labelled_rows
from backend.data.rows import dataset_scheme
from backend.data.templates import Renderer
from backend.engine.answering import Answerer
from studio.contract import TrainSpec
from studio.errors import InputError
from studio.language import say
from studio.samples.scheme import Scheme

ROWS_AT_ONCE = 16
"""Rows scored together: each is continued by every category, and a training fills the memory."""


@dataclass(frozen=True)
class CategoryScoring:
    """Scores the held-out rows whose answer is a category; each process every `processes`-th."""

    rows: Sequence[LabelledRow]
    scheme: Scheme
    renderer: Renderer
    rank: int = 0
    processes: int = 1

    def __call__(self, model: nn.Module) -> tuple[int, int]:
        """Score this process's rows; return how many get their category right, and their number."""
        answerer = Answerer(model, self.renderer)  # type: ignore[arg-type] # an adapter's wrapper answers as well
        mine = self.rows[self.rank :: self.processes]
        hits = 0
        for start in range(0, len(mine), ROWS_AT_ONCE):
            batch = mine[start : start + ROWS_AT_ONCE]
            prompts = answerer.render_prompts([row.title for row in batch], self.scheme.prompt)
            for row, scores in zip(batch, answerer.score(prompts, self.scheme.names), strict=True):
                hits += max(scores, key=lambda name: scores[name]) == row.category
        return hits, len(mine)


def category_scoring(
    spec: TrainSpec, renderer: Renderer, held_rows: Sequence[int] | None, *, rank: int, processes: int
) -> CategoryScoring | None:
    """Select the held-out rows to score; None where there is nothing to score.

    `held_rows` are the rows of `dataset` that val_size holds out; None: all of `eval_dataset`.

    Raises:
        InputError: the best model is to be chosen by category accuracy, and no row can be scored.
    """
    wanted = spec.eval_category_accuracy and spec.stage != "pt" and spec.has_held_out
    found: list[LabelledRow] = []
    scheme = dataset_scheme(spec.dataset_dir)
    if wanted:
        name = spec.dataset if held_rows is not None else spec.eval_dataset
        assert name
        found, _ = labelled_rows(spec.dataset_dir, name, scheme, held_rows)
    if found:
        return CategoryScoring(found[: spec.eval_limit], scheme, renderer, rank, processes)
    if spec.metric_for_best_model == "category_accuracy" and (
        spec.load_best_model_at_end or spec.early_stopping_steps
    ):
        raise InputError(
            say(
                "metric_for_best_model 是 category_accuracy，但没有可以打分的留出行。",
                "metric_for_best_model is category_accuracy, but there are no held-out rows to score.",
            ),
            remedy=say(
                "请打开 eval_category_accuracy 并使用答案是类别的留出集，或改用 eval_loss。",
                "Turn eval_category_accuracy on, with held-out rows whose answers are categories, "
                "or use eval_loss.",
            ),
        )
    return None
