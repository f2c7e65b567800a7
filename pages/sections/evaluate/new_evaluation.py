"""Draw the start of another evaluation, of a run or a base model on any version, and its progress."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.shared import session
from pages.shared.feedback import live_fragment, report_errors, show_failure
from pages.shared.text import answer_name, plain, run_name, run_option, state_name
from studio import runs
from studio.contract import AnswerMode, EvaluateSpec, TemplateName
from studio.datasets.versions import list_versions
from studio.evaluation.entries import list_entries
from studio.evaluation.planning import what_it_tells
from studio.jobs import queue
from studio.language import say
from studio.messages import message, shown, stored
from studio.modelfiles.adapter_check import require_adapter
from studio.models.catalog import find_models
from studio.runs import Run
from studio.workspace import BUNDLED_DATASET, BUNDLED_NAME, Workspace

EVAL_ROWS = 100
"""Rows of the bundled eval split."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model that can be evaluated; `run` is the training run that it is from."""

    option: str
    label: str
    model: Path
    adapter: Path | None
    template: TemplateName
    run: str | None


def new_evaluation() -> None:
    """Draw the choices of a new evaluation, and those that are not over."""
    workspace = session.workspace()
    evaluations = [
        run for run in runs.list_runs(workspace) if run.spec.kind == "evaluate" and not run.recorded
    ]
    going = any(not run.is_over for run in evaluations)
    with st.expander(
        say("再评估一次", "Evaluate again"), icon=":material/add:", key="new-evaluation", expanded=going
    ):
        subjects = {subject.option: subject for subject in _subjects(workspace)}
        if subjects:
            _choices(workspace, subjects)
        else:
            st.caption(say("没有可以评估的模型。", "There is no model to evaluate."))
        if going:
            _live_evaluations()
        elif evaluations and evaluations[0].failure:
            _failure(evaluations[0])


def _choices(workspace: Workspace, subjects: dict[str, Subject]) -> None:
    versions = {version.ref: version for version in list_versions(session.store(), workspace)}
    datasets = {ref: version.folder for ref, version in versions.items()} | {BUNDLED_NAME: BUNDLED_DATASET}
    with st.grid(4, min_column_width=150):
        option = st.selectbox(say("模型或运行", "Model or run"), list(subjects), key="choose-new-subject")
        ref = st.selectbox(
            say("数据集版本", "Dataset version"),
            list(datasets),
            format_func=_dataset_label,
            key="choose-new-dataset",
        )
        answer: AnswerMode = st.selectbox(
            say("回答方式", "Way of answering"),
            ["direct", "chain"],
            format_func=answer_name,
            key="choose-new-answer",
        )
        limit = st.number_input(
            say("最多几条", "Limit"),
            value=None,
            min_value=1,
            step=10,
            placeholder=say("全部", "all"),
            key="new-limit",
        )
    rows = EVAL_ROWS if ref == BUNDLED_NAME else versions[ref].rows.get("eval", 0)
    if rows:
        tells = what_it_tells(list_entries(workspace), datasets[ref], min(rows, limit or rows))
        st.caption(plain(tells.sentence))
    if st.button(say("开始评估", "Start evaluation"), key="new-start", type="primary"):
        with report_errors():
            subject = subjects[option]
            require_adapter(subject.adapter, subject.model)
            spec = EvaluateSpec(
                model_name_or_path=subject.model,
                adapter_name_or_path=subject.adapter,
                template=subject.template,
                dataset_dir=datasets[ref],
                answer=answer,
                limit=limit,
                run=subject.run,
            )
            version = None if ref == BUNDLED_NAME else ref
            queue.submit(workspace, runs.prepare_run(workspace, spec, label=subject.label, version=version))
            st.rerun()


def _dataset_label(ref: str) -> str:
    return say("内置样例", "bundled samples") if ref == BUNDLED_NAME else ref


def _subjects(workspace: Workspace) -> Sequence[Subject]:
    """List tuned models first, then the bases."""
    tuned = []
    for run in runs.list_runs(workspace):
        if run.spec.kind == "train" and run.result and run.result.checkpoint:
            model, adapter = runs.trained_model(run)
            tuned.append(
                Subject(
                    option=run_option(run),
                    label=run.record.label or run.id,
                    model=model,
                    adapter=adapter,
                    template=run.spec.template,
                    run=run.id,
                )
            )
    bases = []
    for base in find_models(workspace):
        if base.ok:
            label = stored(message("label_bundled_base")) if base.bundled else base.name
            bases.append(
                Subject(
                    option=shown(label) or "",
                    label=label,
                    model=base.path,
                    adapter=None,
                    template="auto",
                    run=None,
                )
            )
    return tuned + bases


@live_fragment
def _live_evaluations() -> None:
    """Draw the progress of each; when the last is over, the page again, with its scores."""
    workspace = session.workspace()
    going = [run for run in runs.list_runs(workspace) if run.spec.kind == "evaluate" and not run.is_over]
    if not going:
        st.rerun()
    queue.ensure_job_process(workspace)
    for run in going:
        now = runs.progress(run)
        count = f" · {now.done} / {now.total}" if now.total else ""
        st.progress(now.fraction, text=f"{plain(run_name(run))} · {state_name(run.state)}{count}")


def _failure(run: Run) -> None:
    assert run.failure is not None, run.id
    show_failure(*run.failure)
    st.code(runs.read_log(run, tail=20), language=None)
