"""Draw what a run that is over was trained with; name it, note it, delete it, take its settings again."""

import streamlit as st

from pages.sections.train.settings_files import take
from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import report_errors
from pages.shared.run_names import data_name
from pages.shared.run_naming import name_and_note
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
    name_and_note(run)


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
