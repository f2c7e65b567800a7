"""Draw the table of base models on this machine, and the choice of one of them."""

import streamlit as st

from pages.sections.models.detail import model_detail
from pages.shared import session
from pages.shared.elements import table
from pages.shared.text import file_size
from studio.language import say
from studio.models.catalog import ModelEntry, scan_models
from studio.models.locations import LocationSource

SOURCE_NAMES: dict[LocationSource, tuple[str, str]] = {
    "bundled": ("内置", "bundled"),
    "workspace": ("工作区", "workspace"),
    "modelscope": ("ModelScope 缓存", "ModelScope cache"),
    "huggingface": ("Hugging Face 缓存", "Hugging Face cache"),
    "folder": ("自己的文件夹", "own folder"),
}


def model_shelf(*, is_admin: bool) -> None:
    """Draw every model in a table, and the chosen one in detail."""
    found = scan_models(session.workspace())
    st.subheader(say("这台机器上的模型", "Models on this machine"), anchor=False)
    if all(model.bundled for model in found):
        st.info(
            say(
                "除了内置的小模型还没有别的。在上面下载一个，把模型文件夹拷进工作区的 models/，"
                "或在下面添加已有模型的文件夹。",
                "Only the small bundled model so far. Download one above, copy a model folder into models/ "
                "of the workspace, or add a folder below.",
            ),
            icon=":material/deployed_code:",
        )
    if not found:
        return
    table([_row(model) for model in found], hide_index=True, key="models-table")
    by_name = {model.name: model for model in found}
    chosen = st.selectbox(
        say("详情", "Details of"),
        list(by_name),
        format_func=lambda name: _label(by_name[name]),
        key="choose-model-detail",
    )
    model_detail(by_name[chosen], is_admin=is_admin)


def _row(model: ModelEntry) -> dict[str, object]:
    return {
        say("状态", "State"): _state(model),
        say("名称", "Name"): model.name,
        say("所在", "Where"): say(*SOURCE_NAMES[model.source]),
        say("架构", "Architecture"): model.architecture,
        say("参数量", "Parameters"): _count(model.parameters),
        say("大小", "Size"): file_size(model.size_bytes) if model.size_bytes else "",
        say("模板", "Template"): model.template if model.architecture else "",
        say("问题", "Problem"): model.problems[0].message if model.problems else "",
    }


def _state(model: ModelEntry) -> str:
    if not model.ok:
        return say("✗ 不可用", "✗ unusable")
    return say("! 有警告", "! with warnings") if model.problems else say("✓ 完整", "✓ complete")


def _count(parameters: int) -> str:
    if not parameters:
        return ""
    return f"{parameters / 1e9:,.2f} B" if parameters >= 1e9 else f"{parameters / 1e6:,.1f} M"


def _label(model: ModelEntry) -> str:
    return f"{model.name} · {say(*SOURCE_NAMES[model.source])}"
