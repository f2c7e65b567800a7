"""A finished forgetting probe in the folder of a run, without a model."""

from studio.contract import FORGETTING, ForgettingFile, ProbeAnswer, ProbedItem
from studio.evaluation.forgetting.counts import count, count_by_kind, verdict
from studio.evaluation.forgetting.probe import probe_items
from studio.runs import Run


def finish_probe(run: Run, *, lost: str = "") -> ForgettingFile:
    """Write a probe in which the base knows everything and the tuned model lost the items of one kind."""
    items = tuple(
        ProbedItem(
            id=item.id,
            kind=item.kind,
            base=ProbeAnswer(text="从前有个人*说*", right=True),
            tuned=ProbeAnswer(text="娱乐" if item.kind == lost else "从前", right=item.kind != lost),
        )
        for item in probe_items()
    )
    kinds, overall = count_by_kind(items, {"knowledge": 0.25}), count(items, 0.1)
    found = ForgettingFile(
        probe_sha256="p",
        base_sha256="b",
        checkpoint=run.result.checkpoint if run.result else None,
        choices="probability",
        code=verdict(overall, kinds.values()),
        all=overall,
        kinds=kinds,
        items=items,
    )
    (run.folder / FORGETTING).write_text(found.model_dump_json())
    return found
