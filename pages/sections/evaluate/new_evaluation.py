"""Draw the start of another evaluation, of a run or a base model on any version, and its progress."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.sections.evaluate.answering_options import answering_options
from pages.shared import session
from pages.shared.endpoint_choice import AT_ENDPOINT, endpoint_choice
from pages.shared.feedback import live_fragment, report_errors, show_failure
from pages.shared.files import uploaded_path
from pages.shared.reading import choose_reading
from pages.shared.run_controls import run_controls
from pages.shared.text import answer_name, plain, run_name, run_option, state_name
from studio import runs
from studio.contract import AnswerMode, TemplateName
from studio.datasets.evaluation_files import evaluation_folder
from studio.datasets.versions import list_versions
from studio.errors import StudioError
from studio.evaluation.entries import list_entries
from studio.evaluation.planning import what_it_tells
from studio.jobs import queue
from studio.language import say
from studio.messages import message, shown, stored
from studio.modelfiles.adapter_check import require_adapter
from studio.models.catalog import find_models
from studio.operations.evaluations import Target, evaluation_spec
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

    @property
    def target(self) -> Target:
        """What an evaluation is of."""
        return self.model, self.adapter, self.template, self.run


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
        _choices(workspace, subjects)
        if going:
            _live_evaluations()
        elif evaluations and evaluations[0].failure:
            _failure(evaluations[0])


def _choices(workspace: Workspace, subjects: dict[str, Subject]) -> None:
    versions = {version.ref: version for version in list_versions(session.store(), workspace)}
    sets = {
        BUNDLED_NAME: Rows(ref=None, folder=BUNDLED_DATASET, count=EVAL_ROWS),
        **{
            ref: Rows(ref=ref, folder=version.folder, count=version.rows.get("eval", 0))
            for ref, version in versions.items()
        },
    }
    with st.grid(4, min_column_width=150):
        at_endpoint = say("接口上的模型", "A model at an endpoint")
        option = st.selectbox(
            say("模型或运行", "Model or run"),
            [*subjects, AT_ENDPOINT],
            format_func=lambda option: at_endpoint if option == AT_ENDPOINT else option,
            key="choose-new-subject",
        )
        order = [*versions, BUNDLED_NAME]
        refs = st.multiselect(
            say("数据集版本，可选几个", "Dataset versions, several if you like"),
            order,
            default=order[:1],
            format_func={ref: _dataset_label(ref) for ref in order}.__getitem__,
            key="choose-new-datasets",
        )
        answer: AnswerMode = st.selectbox(
            say("回答方式", "Way of answering"),
            ["direct", "chain"],
            format_func={"direct": answer_name("direct"), "chain": answer_name("chain")}.__getitem__,
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
    elsewhere = endpoint_choice(list(subjects), key="new") if option == AT_ENDPOINT else None
    subject = subjects.get((elsewhere.served or "") if elsewhere else option)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        checkpoint = _checkpoint_box(workspace, subject)
        fields = answering_options(answer, at_endpoint=elsewhere is not None)
    chosen = [sets[ref] for ref in refs]
    if (file := _labelled_file(workspace)) is not None:
        chosen = [file]
    for rows in chosen:
        if rows.count:
            tells = what_it_tells(list_entries(workspace), rows.folder, min(rows.count, limit or rows.count))
            name = f"{_dataset_label(rows.ref or BUNDLED_NAME)}: " if len(chosen) > 1 else ""
            st.caption(plain(name + tells.sentence))
    if st.button(say("开始评估", "Start evaluation"), key="new-start", type="primary", disabled=not chosen):
        with report_errors():
            if subject:
                require_adapter(subject.adapter, subject.model)
            target = _at_checkpoint(workspace, subject, checkpoint)
            label = elsewhere.model.strip() if elsewhere else subject.label if subject else ""
            endpoint = elsewhere.spec() if elsewhere else None
            # All specs before the first job: of several, none is started where one is refused.
            specs = [
                evaluation_spec(target, rows.folder, endpoint, answer=answer, limit=limit, **fields)
                for rows in chosen
            ]
            for rows, spec in zip(chosen, specs, strict=True):
                queue.submit(workspace, runs.prepare_run(workspace, spec, label=label, version=rows.ref))
            st.rerun()


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows to answer: those of a version, the bundled ones or a file's, and how many there are."""

    ref: str | None
    folder: Path
    count: int


def _checkpoint_box(workspace: Workspace, subject: Subject | None) -> str | None:
    """Draw the choice of a checkpoint, where the model is a run that kept several; None: the last."""
    if subject is None or subject.run is None:
        return None
    known = runs.checkpoints(runs.get_run(workspace, subject.run))
    if len(known) < 2:
        return None
    last = say("最后一个", "the last")
    return (
        st.selectbox(
            say("检查点", "Checkpoint"),
            ["", *reversed(known)],
            format_func=lambda name: name or last,
            key="choose-new-checkpoint",
            width=220,
        )
        or None
    )


def _at_checkpoint(workspace: Workspace, subject: Subject | None, checkpoint: str | None) -> Target | None:
    if subject is None or subject.run is None or checkpoint is None:
        return subject.target if subject else None
    model, adapter = runs.model_at(runs.get_run(workspace, subject.run), checkpoint)
    return model, adapter, subject.template, subject.run


def _labelled_file(workspace: Workspace) -> Rows | None:
    """Draw the upload of a file of titles with their categories; None while there is none that is clear."""
    with st.popover(say("或者：一份有答案的文件", "Or a file of labelled titles"), icon=":material/upload:"):
        file = st.file_uploader(
            say("标题和类别，或对话样本", "Titles and categories, or samples"), key="new-file"
        )
        if file is None:
            return None
        with uploaded_path(file) as path:
            choices = choose_reading(path, file.file_id)
            if choices is None:
                return None
            with report_errors():
                folder = evaluation_folder(workspace, path, session.scheme(), choices)
                count = len(json.loads((folder / "eval.json").read_bytes()))
                st.caption(
                    say(
                        f"将评估这份文件里的 {count:,} 条标题，代替上面选的版本。",
                        f"The {count:,} labelled titles of this file are evaluated in place of the versions.",
                    )
                )
                return Rows(ref=None, folder=folder, count=count)
    return None


def _dataset_label(ref: str) -> str:
    return say("内置样例", "bundled samples") if ref == BUNDLED_NAME else ref


def _subjects(workspace: Workspace) -> Sequence[Subject]:
    """List tuned models first, then the bases."""
    tuned = []
    for run in runs.list_runs(workspace):
        if run.spec.kind == "train" and run.result and run.result.checkpoint:
            try:
                model, adapter = runs.trained_model(run)
            except StudioError:
                continue  # its checkpoint was discarded or moved away
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
        run_controls(run)


def _failure(run: Run) -> None:
    assert run.failure is not None, run.id
    show_failure(*run.failure)
    run_controls(run)
    st.code(runs.read_log(run, tail=20), language=None)
