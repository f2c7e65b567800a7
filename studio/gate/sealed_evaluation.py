"""Open a sealed evaluation set for a candidate, and write down who did and why.

The answers stay in the folder of the job, in no list of runs: whoever read them title by title would choose
by them, and the set would be an evaluation set like any other.
"""

import shutil
from pathlib import Path

from studio import runs
from studio.contract import AnswerMode, EvaluateSpec
from studio.datasets.sealed_sets import ENTRY, find_sealed_set, open_content
from studio.errors import InputError
from studio.gate.evidence import list_openings
from studio.jobs import queue
from studio.language import say
from studio.messages import message, stored
from studio.models.targets import resolve_target
from studio.releases import ledger
from studio.releases.models import SealedOpening
from studio.runs import Job
from studio.store import Store, writing
from studio.team.rights import require_right
from studio.workspace import Workspace


def open_sealed(
    db: Store,
    workspace: Workspace,
    dataset: str,
    target: str,
    *,
    reason: str,
    author: str,
    answer: AnswerMode = "direct",
) -> tuple[SealedOpening, Job]:
    """Have a run answer the sealed set of a dataset, as a job; the opening is in the ledger before it starts.

    Args:
        db: store.
        workspace: where the run is.
        dataset: name of the dataset, for its newest set, or `name#2`.
        target: run or release that answers.
        reason: why it is opened; kept for ever.
        author: who opens it.
        answer: way of answering.

    Raises:
        NotAllowed: the author's role does not cover it.
        InputError: there is no sealed set or no such run, no reason was given, or it is being answered.
        UnreadableFile: the set is damaged.
    """
    require_right("open_sealed", db, author)
    reason = " ".join(reason.split())
    if not reason:
        raise InputError(
            say("打开封存的评估集要写明原因。", "Opening a sealed set needs a reason."),
            remedy=say("例如：发布前的最后检查。", "For example: the last check before the release."),
        )
    sealed = find_sealed_set(db, dataset)
    model, adapter, template, run = resolve_target(workspace, target)
    if run is None:
        raise InputError(
            say("{target} 不是运行，不能发布。", "{target} is no run and cannot be released.", target=target),
            remedy=say("请写一个训练运行的编号。", "Name a training run by its id."),
        )
    earlier = [
        each for each in list_openings(db) if (each.dataset, each.number) == (sealed.dataset, sealed.number)
    ]
    _require_idle(workspace, [each for each in earlier if each.run == run])
    spec = EvaluateSpec(
        model_name_or_path=model,
        adapter_name_or_path=adapter,
        template=template,
        dataset_dir=Path(),
        dataset=ENTRY,
        train_dataset=None,
        answer=answer,
        run=run,
        sealed=sealed.ref,
    )
    label = stored(message("label_sealed_set", sealed=sealed.ref, run=run))
    with writing(db):
        job = runs.prepare_job(workspace, spec, label=label, files=open_content(db, sealed))
        opening = SealedOpening(
            dataset=sealed.dataset,
            number=sealed.number,
            sha256=sealed.sha256,
            run=run,
            job=job.id,
            answer=answer,
            reason=reason,
            opening=len(earlier) + 1,
        )
        try:
            ledger.append(db, "sealed_opened", opening, author=author)
        except BaseException:
            shutil.rmtree(job.folder)  # unwritten, it must not be answered
            raise
    queue.submit(workspace, job)
    return opening, job


def _require_idle(workspace: Workspace, openings: list[SealedOpening]) -> None:
    """Refuse a second opening while the first one for that run is still being answered."""
    jobs = {job.id: job for job in runs.list_unfinished(workspace)}
    running = next((each.job for each in openings if each.job in jobs and not jobs[each.job].is_over), None)
    if running is not None:
        raise InputError(
            say("正在回答封存的评估集（{job}）。", "The sealed set is being answered ({job}).", job=running),
            remedy=say("请等它结束。", "Wait until it is over."),
        )
