"""Draw the choice of training data, a version or plain texts, and of the held-out rows."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from pages.shared import session
from pages.shared.feedback import notify, report_errors
from pages.shared.files import uploaded_path
from studio.contract import PREFERENCE_STAGES, Stage, TrainSpec
from studio.datasets import mixed_eval
from studio.datasets.eval_coverage import lacking_categories
from studio.datasets.pair_versions import list_pair_versions
from studio.datasets.versions import list_versions
from studio.ingest import plain_texts
from studio.language import say
from studio.store import Store
from studio.workspace import BUNDLED_DATASET, BUNDLED_NAME

HeldOutChoice = Literal["own", "share", "other", "none"]

STAGE_NAMES: Mapping[Stage, tuple[str, str]] = {
    "sft": ("有监督微调（对话）", "Supervised fine-tuning (conversations)"),
    "pt": ("继续预训练（纯文本）", "Continued pre-training (plain text)"),
    "dpo": ("偏好：DPO", "Preferences: DPO"),
    "kto": ("偏好：KTO", "Preferences: KTO"),
    "orpo": ("偏好：ORPO", "Preferences: ORPO"),
}
STAGE_HELP: Mapping[Stage, tuple[str, str]] = {
    "dpo": (
        "DPO 让选中的回答比落选的更可能，同时不离开起点太远；再加选中回答的似然（1 : 1），免得两边一起变差。"
        "先有一个微调好的运行，从它的适配器开始。",
        "DPO makes the chosen answer likelier than the rejected one without leaving the start too far, and"
        " adds the likelihood of the chosen one (1 : 1), so that both do not get worse together. Start from"
        " the adapter of a fine-tuned run.",
    ),
    "kto": (
        "KTO 把每个回答单独看成好或坏，不要求成对，对标错的对不那么敏感；批大小至少 2。",
        "KTO takes each answer as good or bad by itself, without its partner, and minds wrong pairs less;"
        " its batches have 2 rows or more.",
    ),
    "orpo": (
        "ORPO 一步做完微调和偏好，不需要参考模型：可以直接从基座开始。",
        "ORPO fine-tunes and prefers in one step and needs no reference: it can start from the base.",
    ),
}
HELD_OUT_NAMES: Mapping[HeldOutChoice, tuple[str, str]] = {
    "own": ("本版本的评估集", "this version's eval rows"),
    "share": ("从训练集里留出一部分", "a share of the training rows"),
    "other": ("另一个版本的评估集", "another version's eval rows"),
    "none": ("不留出", "none"),
}


@dataclass(frozen=True, kw_only=True)
class Data:
    """A dataset that can be trained on: its folder, its name, its version if it is one, its training rows.

    `characters` counts those of texts; 0 for conversations. `chosen` are the chosen categories of pairs,
    one a pair.
    """

    folder: Path
    name: str
    version: str | None
    rows: int
    characters: int = 0
    chosen: tuple[str, ...] = ()


def choose_data(db: Store, stage: Stage) -> Data | None:
    """Draw the select box of versions or texts; None where there is none to choose."""
    if stage in PREFERENCE_STAGES:
        found, label, key = _pairs(), say("偏好对", "Preference pairs"), "choose-train-pairs"
    elif stage == "sft":
        found, label, key = _versions(db), say("数据集版本", "Dataset version"), "choose-train-dataset"
    else:
        found, label, key = _texts(), say("文本", "Texts"), "choose-train-texts"
    if not found:
        return None
    name = st.selectbox(label, list(found), format_func=lambda name: _data_label(found[name]), key=key)
    return found[name]


def _pairs() -> dict[str, Data]:
    return {
        version.ref: Data(
            folder=version.folder,
            name=version.ref,
            version=version.ref,
            rows=version.pairs,
            chosen=tuple(name for name, count in version.counts["by_category"].items() for _ in range(count)),
        )
        for version in list_pair_versions(session.workspace())
    }


def _versions(db: Store) -> dict[str, Data]:
    """Map names to versions, the newest first, the bundled data last."""
    found = {
        version.ref: Data(
            folder=version.folder, name=version.ref, version=version.ref, rows=version.rows["train"]
        )
        for version in list_versions(db, session.workspace())
    }
    return found | {BUNDLED_NAME: Data(folder=BUNDLED_DATASET, name=BUNDLED_NAME, version=None, rows=300)}


def _texts() -> dict[str, Data]:
    return {
        kept.name: Data(
            folder=kept.folder, name=kept.name, version=None, rows=kept.texts, characters=kept.characters
        )
        for kept in plain_texts.list_texts(session.workspace())
    }


def dataset_label(ref: str) -> str:
    """Name a dataset, the bundled one in words."""
    return say("内置样例 300 + 100", "bundled samples 300 + 100") if ref == BUNDLED_NAME else ref


def _data_label(data: Data) -> str:
    if data.chosen:
        return f"{data.name} · {data.rows:,} {say('对', 'pairs')}"
    if data.name == BUNDLED_NAME or data.version:
        return dataset_label(data.name)
    return f"{data.name} · {data.rows:,} {say('段', 'texts')}"


def add_texts_form(is_open: bool) -> None:
    """Draw the form that adds texts: files or pasted lines, kept in the workspace under a name."""
    # Another form once something was kept: an empty, folded one.
    number = st.session_state.get("texts-number", 0)
    with (
        st.expander(
            say("添加文本", "Add texts"),
            key=f"add-texts-{number}",
            expanded=is_open,
            icon=":material/upload_file:",
        ),
        st.form(f"texts-form-{number}", border=False),
    ):
        files = st.file_uploader(
            say("txt、md、json、jsonl，可以是 .gz", "txt, md, json or jsonl, also as .gz"),
            accept_multiple_files=True,
            key=f"texts-files-{number}",
        )
        pasted = st.text_area(
            say("或粘贴，一行一段", "or paste, one text per line"), key=f"texts-pasted-{number}", height=120
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input(
                say("名字", "Name"), key=f"texts-name-{number}", placeholder="news-2026", width=260
            )
            pressed = st.form_submit_button(say("保存文本", "Save texts"), key="texts-keep")
        if not pressed:
            return
        with report_errors(), ExitStack() as uploads:
            workspace = session.workspace()
            if files:
                sources = [uploads.enter_context(uploaded_path(file)) for file in files]
                kept = plain_texts.add_texts(
                    workspace, name.strip() or sources[0].name.partition(".")[0], sources
                )
            else:
                kept = plain_texts.add_pasted(workspace, name.strip() or "pasted", pasted or "")
            st.session_state["choose-train-texts"] = kept.name
            st.session_state["texts-number"] = number + 1
            notify(
                say(
                    f"已保存 {kept.name}：{kept.texts:,} 段，{kept.characters:,} 字。",
                    f"Saved {kept.name}: {kept.texts:,} texts, {kept.characters:,} characters.",
                )
            )
            st.rerun()


def choose_held_out(db: Store, data: Data, start: TrainSpec, form: str) -> dict[str, Any]:
    """Draw the choice of held-out rows; return it as fields of the spec, `dataset_dir` where it changes."""
    choices = _held_out_choices(start.stage)
    others = {name: other for name, other in _versions(db).items() if name != data.name}
    if not others and "other" in choices:
        choices.remove("other")
    key = f"choose-held-out-{form}-{start.stage}"
    if key not in st.session_state:
        st.session_state[key] = _choice_of(start)
    chosen: HeldOutChoice = st.selectbox(
        say("留出样本", "Held-out rows"),
        choices,
        format_func=lambda choice: say(*HELD_OUT_NAMES[choice]),
        key=key,
        help=say(
            "留出的样本不参加训练：用来计算留出损失和准确率，并选出最好的检查点。",
            "Held-out rows are not trained on: they give the held-out loss and accuracy, "
            "and select the best checkpoint.",
        ),
    )
    if chosen == "own":
        return {"eval_dataset": "eval", "val_size": 0.0}
    if chosen == "share":
        size = st.number_input(
            say("留出多少", "Amount"),
            value=start.val_size or 0.1,
            min_value=0.0,
            step=0.01,
            format="%g",
            key=f"val-size-{form}-{start.stage}",
            help=say("小于 1 是比例，否则是条数。", "Below 1: a share; else a number of rows."),
        )
        return {"eval_dataset": None, "val_size": size}
    if chosen == "other":
        return _other(data, others)
    return {"eval_dataset": None, "val_size": 0.0}


def _held_out_choices(stage: Stage) -> list[HeldOutChoice]:
    if stage in PREFERENCE_STAGES:
        return ["other", "none"]  # pairs have no eval rows of their own
    return ["own", "share", "other", "none"] if stage == "sft" else ["share", "none"]


def _choice_of(start: TrainSpec) -> HeldOutChoice:
    if start.learns_preferences:
        return "other"
    if start.val_size:
        return "share"
    return "own" if start.eval_dataset and start.stage == "sft" else "none"


def _other(data: Data, others: Mapping[str, Data]) -> dict[str, Any]:
    name = st.selectbox(
        say("哪个版本", "Which version"),
        list(others),
        format_func=dataset_label,
        key="choose-held-out-version",
    )
    fields: dict[str, Any] = {"eval_dataset": "eval", "val_size": 0.0}
    with report_errors():
        mixed = mixed_eval.with_eval_of(session.workspace(), data.folder, others[name].folder)
        fields["dataset_dir"] = mixed.folder
        if mixed.seen:
            st.session_state["held-out-seen"] = (mixed.seen, mixed.rows)
    return fields


def leak_warning() -> None:
    """Warn when held-out rows of another version are trained on here."""
    seen = st.session_state.pop("held-out-seen", None)
    if seen:
        st.warning(
            say(
                f"那个版本的 {seen[1]} 条评估样本里，有 {seen[0]} 条也在这次的训练集里：得分会偏高。",
                f"{seen[0]} of that version's {seen[1]} eval rows are also trained on here: "
                "the scores will be too high.",
            ),
            icon=":material/content_copy:",
        )


def coverage_warning(data: Data, held_out: Mapping[str, Any]) -> None:
    """Warn, before a training, which categories the held-out rows lack."""
    if not held_out.get("eval_dataset"):
        return
    folder = held_out.get("dataset_dir") or data.folder
    kept: dict[str, list[str]] = st.session_state.setdefault("lacking-categories", {})
    with report_errors():
        if str(folder) not in kept:  # what was frozen never changes
            kept[str(folder)] = lacking_categories(folder, session.scheme())
    if lacking := kept.get(str(folder)):
        st.warning(
            say(
                f"评估样本里没有这些类别：{'、'.join(lacking)}。得分看不出模型在它们上面的好坏。",
                f"No held-out row is of {', '.join(lacking)}: the scores will say nothing about these.",
            ),
            icon=":material/category:",
        )
