"""What the model will see: rows token by token, and how many are longer than the limit."""

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import streamlit as st

from pages.shared import shell
from pages.shared.token_boxes import token_boxes
from studio.contract import Piece, SeenRow, TemplateName, TrainSpec
from studio.datasets.versions import list_versions
from studio.language import say
from studio.models.catalog import ModelEntry, find_models
from studio.samples.title_text import Split
from studio.store import Store
from studio.training import token_preview as preview
from studio.training.token_preview import TokenPreview
from studio.workspace import BUNDLED_DATASET, BUNDLED_NAME

SPLIT_NAMES: Mapping[Split, tuple[str, str]] = {"train": ("训练", "train"), "eval": ("评估", "eval")}
LISTED = 200


def preview_section(db: Store) -> None:
    """Choose data, model, template and limit; see the counts and any row."""
    workspace = shell.workspace()
    models = {model.name: model for model in find_models(workspace) if model.ok}
    if not models:
        st.warning(
            say("没有可用的基座模型，先到训练页看看。", "No base model can be used; see the Train page.")
        )
        return
    datasets = {v.ref: v.folder for v in list_versions(db, workspace)} | {BUNDLED_NAME: BUNDLED_DATASET}
    with st.grid(4, min_column_width=150):
        ref = st.selectbox(
            say("数据集版本", "Dataset version"),
            list(datasets),
            format_func=lambda name: say("内置样例", "bundled samples") if name == BUNDLED_NAME else name,
            key="choose-preview-dataset",
        )
        model = st.selectbox(
            say("基座模型", "Base model"),
            list(models),
            format_func=lambda name: model_name(models[name]),
            key="choose-preview-model",
        )
        template: TemplateName = st.selectbox(
            say("模板", "Template"), get_args(TemplateName), key="choose-preview-template"
        )
        limit = st.number_input(
            "cutoff_len",
            value=TrainSpec.model_fields["cutoff_len"].default,
            min_value=16,
            step=64,
            key="preview-limit",
            help=say(
                "一条样本最多的词元数；更长的会整条跳过并列出，不会被截断。",
                "Longest sample in tokens; a longer one is left out and listed, never cut.",
            ),
        )
    counted = preview.count_rows(
        workspace, model=models[model].path, dataset_dir=datasets[ref], template=template
    )
    if counted.state == "running":
        waiting(counted.folder.name, models[model].path, datasets[ref], template)
        return
    if show_failure(counted, "count") or counted.file is None:
        return
    _counts(counted, int(limit))
    _one_row(counted, models[model].path, datasets[ref], template, int(limit))


@st.fragment(run_every=1)
def waiting(key: str, model: Path, dataset_dir: Path, template: TemplateName) -> None:
    """Until the tokens are counted; then the page is drawn once more."""
    with shell.report_errors():
        now = preview.count_rows(shell.workspace(), model=model, dataset_dir=dataset_dir, template=template)
        if now.state != "running" or now.folder.name != key:
            st.rerun()
        share = now.done / now.total if now.total else 0.0
        counted = f" {now.done} / {now.total}" if now.total else ""
        st.progress(
            share,
            text=say("正在用训练的编码统计词元……", "Counting tokens as the training does ...") + counted,
        )


def show_failure(answer: TokenPreview, key: str) -> bool:
    """Say why there is no answer, with a button to ask again; whether there was something to say."""
    if answer.failure is None:
        return False
    problem, remedy = answer.failure
    st.error(
        f"{shell.plain(problem)}\n\n**{say('怎么办', 'What to do')}** {shell.plain(remedy)}",
        icon=":material/error:",
    )
    st.button(
        say("再试一次", "Try again"),
        key=f"preview-again-{key}",
        on_click=preview.forget,
        args=(answer,),
        icon=":material/refresh:",
    )
    return True


def model_name(model: ModelEntry) -> str:
    """A base model as an option."""
    return say("内置小模型", "bundled small model") if model.bundled else model.name


def too_long_line(split: Split, lengths: tuple[int, ...], limit: int) -> str:
    """How many rows of a split are longer than the limit, in a sentence."""
    over, longest = preview.too_long(lengths, limit), max(lengths, default=0)
    name = say(*SPLIT_NAMES[split])
    return say(
        f"{name}集 {len(lengths)} 行中有 {over} 行超过 cutoff_len {limit}（最长 {longest} 个词元）。",
        f"{over} of {len(lengths)} {name} rows are longer than cutoff_len {limit} (the longest has {longest} tokens).",
    )


def _counts(counted: TokenPreview, limit: int) -> None:
    assert counted.file is not None
    lengths = counted.file.lengths
    over = {split: preview.too_long(lengths[split], limit) for split in SPLIT_NAMES}
    text = "  \n".join(too_long_line(split, lengths[split], limit) for split in SPLIT_NAMES)
    if any(over.values()):
        left_out = say("超长的行会整条跳过，不参加训练。", "Longer rows are left out of the training.")
        st.warning(f"{text}  \n{left_out}", icon=":material/content_cut:")
        with st.expander(say("超长的行", "The longer rows"), key="preview-long"):
            _long_rows(lengths, limit)
    else:
        st.success(text, icon=":material/task_alt:")


def _long_rows(lengths: Mapping[str, tuple[int, ...]], limit: int) -> None:
    """The longest first."""
    rows = [
        (length, split, row)
        for split in SPLIT_NAMES
        for row, length in enumerate(lengths[split], start=1)
        if length > limit
    ]
    shell.table(
        [
            {
                say("划分", "split"): say(*SPLIT_NAMES[split]),
                say("行", "row"): row,
                say("词元", "tokens"): length,
            }
            for length, split, row in sorted(rows, reverse=True)[:LISTED]
        ],
        hide_index=True,
        height="content",
        alt=say("超长的行", "The longer rows"),
    )


def _one_row(
    counted: TokenPreview, model: Path, dataset_dir: Path, template: TemplateName, limit: int
) -> None:
    assert counted.file is not None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        split: Split = st.segmented_control(
            say("划分", "Split"),
            list(SPLIT_NAMES),
            format_func=lambda name: say(*SPLIT_NAMES[name]),
            default="train",
            required=True,
            key="preview-split",
        )
        lengths = counted.file.lengths[split]
        if not lengths:
            return
        number = st.number_input(
            say(f"第几行（共 {len(lengths)} 行）", f"Row (of {len(lengths)})"),
            min_value=1,
            max_value=len(lengths),
            step=1,
            key="preview-row",
            width=180,
        )
        st.button(
            say("最长的一行", "The longest row"),
            key="preview-longest",
            on_click=_choose_row,
            args=(lengths.index(max(lengths)) + 1,),
        )
        direct = st.toggle(
            say("直接回答的样本（思维链为空）", "The sample for direct answers (empty chain)"),
            key="preview-direct",
        )
    row = min(int(number), len(lengths)) - 1
    answer = preview.see_block(
        shell.workspace(), model=model, dataset_dir=dataset_dir, template=template, entry=split, row=row
    )
    if answer.state == "running":
        _waiting_for_row(answer.folder.name, model, dataset_dir, template, split, row)
    elif not show_failure(answer, "row") and answer.file:
        seen = next(seen for seen in answer.file.rows if seen.row == row)
        _show_row(seen, direct, limit, answer.file.template)


def _choose_row(number: int) -> None:
    """Callback: put a row on screen."""
    st.session_state["preview-row"] = number


@st.fragment(run_every=0.5)
def _waiting_for_row(
    key: str, model: Path, dataset_dir: Path, template: TemplateName, split: Split, row: int
) -> None:
    with shell.report_errors():
        now = preview.see_block(
            shell.workspace(), model=model, dataset_dir=dataset_dir, template=template, entry=split, row=row
        )
        if now.state != "running" or now.folder.name != key:
            st.rerun()
        st.caption(say("正在编码这一段……", "Encoding these rows ..."))


def _show_row(seen: SeenRow, direct: bool, limit: int, template: TemplateName) -> None:
    pieces = seen.direct if direct else seen.chain
    total, learned = _tokens(pieces), _tokens([piece for piece in pieces if piece.learned])
    parts = [
        say(f"模板 **{template}**", f"template **{template}**"),
        say(f"共 **{total}** 个词元", f"**{total}** tokens"),
        say(f"其中 **{learned}** 个计入损失", f"**{learned}** of them in the loss"),
        say(
            f"比 cutoff_len 多 **{total - limit}** 个：这一行会被跳过",
            f"**{total - limit}** over cutoff_len: left out",
        )
        if total > limit
        else say(
            f"比 cutoff_len 少 {limit - total} 个：完整进入训练",
            f"{limit - total} below cutoff_len: trained on whole",
        ),
    ]
    st.markdown("　·　".join(parts))
    token_boxes(pieces, cutoff_len=limit, key=f"tokens-{seen.row}-{direct}")
    st.caption(
        say(
            "灰：只读，不计损失。蓝：模型要学会写的部分。橙：类别所在，损失加重（label_weight）。划线：超出 cutoff_len。指向一块可看它的位置和编号。",
            "Grey: read only. Blue: what the model learns to write. Orange: names the category, weighs more (label_weight). Crossed out: behind cutoff_len. Point at a box for its place and id.",
        )
    )


def _tokens(pieces: tuple[Piece, ...] | list[Piece]) -> int:
    return sum(len(piece.ids) for piece in pieces)


def train_line(model: ModelEntry, dataset_dir: Path, template: TemplateName, limit: int) -> None:
    """On the Train page: how many rows of the chosen data are too long for the chosen limit."""
    counted = preview.count_rows(
        shell.workspace(), model=model.path, dataset_dir=dataset_dir, template=template
    )
    if counted.state == "running":
        waiting(counted.folder.name, model.path, dataset_dir, template)
        return
    if counted.file is None:
        problem = counted.failure[0] if counted.failure else ""
        st.caption(say("没能统计词元：", "Tokens could not be counted: ") + shell.plain(problem))
        return
    lengths = counted.file.lengths["train"]
    line = too_long_line("train", lengths, limit)
    with st.container(horizontal=True, vertical_alignment="center"):
        if preview.too_long(lengths, limit):
            st.warning(line, icon=":material/content_cut:", width="stretch")
        else:
            st.caption(f":material/task_alt: {line}", width="content")
        pressed = st.button(
            say("看模型看到什么", "See what the model sees"),
            key="train-preview",
            icon=":material/visibility:",
            type="tertiary",
        )
    if pressed:
        st.session_state["choose-preview-model"] = model.name
        st.session_state["preview-limit"] = limit
        st.session_state["datasets-open"] = "preview"
        st.switch_page(shell.page_path("datasets"))
