"""Draw what a run that is over was trained with; name it, note it, delete it, take its settings again."""

import streamlit as st

from pages.sections.train.settings_files import take
from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import notify, report_errors, reporting
from pages.shared.run_names import data_name
from pages.shared.text import plain
from studio import runs
from studio.contract import TrainSpec
from studio.language import say
from studio.models.catalog import find_models
from studio.runs import Run
from studio.training.field_relevance import matters
from studio.training.presets import sound_default
from studio.training.settings_file import settings_file_of

_TECHNICAL = ("format_version", "kind")


def run_settings(run: Run) -> None:
    """Draw the settings of a run, and what can be done with its name and its files."""
    if run.record.note:
        st.caption(f":material/sticky_note_2: {plain(run.record.note)}")
    if not isinstance(run.spec, TrainSpec):
        return
    with st.expander(
        say("这次运行的设置", "Settings of this run"), key=f"settings-{run.id}", icon=":material/tune:"
    ):
        _table(run, run.spec)
        if st.button(
            say("把这些设置填进上面的表单", "Load these settings into the form"),
            key=f"load-settings-{run.id}",
            icon=":material/upload:",
        ):
            with report_errors():
                found = settings_file_of(run.spec.model_dump(mode="json"))
                take(found, find_models(session.workspace()), dataset=run.version)
    if not run.recorded:
        _name_and_note(run)


def _table(run: Run, spec: TrainSpec) -> None:
    """Draw every setting that mattered; a star marks what is not the sound default."""
    values = spec.model_dump(mode="json")
    default = sound_default(spec.model_name_or_path, spec.dataset_dir).model_dump(mode="json")
    rows = [(say("数据", "data"), data_name(run), "")]
    rows += [
        (name, _shown(value), "" if value == default.get(name) else "★")
        for name, value in values.items()
        if name not in _TECHNICAL and matters(name, values)
    ]
    table(
        [
            {say("设置", "setting"): name, say("值", "value"): value, say("不同于默认", "not default"): star}
            for name, value, star in rows
        ],
        hide_index=True,
        height=360,
        alt=say("这次运行的设置", "Settings of this run"),
    )


def _shown(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return str(value)


def _name_and_note(run: Run) -> None:
    with st.popover(
        say("名称、备注、删除", "Name, note, delete"), key=f"manage-{run.id}", icon=":material/edit:"
    ):
        st.text_input(
            say("名称", "Name"), value=run.label, key=f"rename-{run.id}", max_chars=runs.LONGEST_LABEL
        )
        st.text_area(say("备注", "Note"), value=run.record.note, key=f"note-{run.id}", height=80)
        st.button(say("保存", "Save"), key=f"rename-save-{run.id}", on_click=_rename, args=(run.id,))
        st.divider()
        st.markdown(
            say(
                "删除这次运行：曲线、得分、日志和模型都不再有。",
                "Delete this run: its curve, scores, log and model are gone for good.",
            )
        )
        st.button(
            say("永久删除", "Delete for good"),
            key=f"delete-run-{run.id}",
            type="primary",
            icon=":material/delete_forever:",
            on_click=_delete,
            args=(run.id,),
        )


@reporting
def _rename(run_id: str) -> None:
    """Save the typed name and note."""
    runs.rename(
        session.workspace(),
        run_id,
        label=str(st.session_state[f"rename-{run_id}"] or ""),
        note=str(st.session_state[f"note-{run_id}"] or ""),
    )
    notify(say("已保存。", "Saved."))


@reporting
def _delete(run_id: str) -> None:
    """Delete the run with everything that it made."""
    runs.delete(session.workspace(), run_id)
    notify(say("已删除。", "Deleted."))
