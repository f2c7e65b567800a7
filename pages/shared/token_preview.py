"""Draw what the model will see: rows token by token, and how many exceed the cutoff."""

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import streamlit as st

from pages.shared import session
from pages.shared.elements import choose_one, table
from pages.shared.feedback import report_errors, reporting, show_failure
from pages.shared.text import TOKEN_NOTE, plain
from pages.shared.token_boxes import token_boxes
from studio.contract import Piece, SeenRow, TemplateName, TrainSpec
from studio.datasets.versions import list_versions
from studio.language import say
from studio.models.catalog import ModelEntry, find_models
from studio.samples.title_text import Split
from studio.store import Store
from studio.training import token_preview
from studio.training.token_preview import TokenPreview
from studio.workspace import BUNDLED_DATASET, BUNDLED_NAME

SPLIT_NAMES: Mapping[Split, tuple[str, str]] = {"train": ("训练", "train"), "eval": ("评估", "eval")}
LISTED = 200


def preview_section(db: Store) -> None:
    """Draw the choice of data, model, template and cutoff, the counts, and any row."""
    workspace = session.workspace()
    models = {model.name: model for model in find_models(workspace) if model.ok}
    if not models:
        st.warning(say("没有可用的基座模型，见模型页。", "No usable base model; see the Models page."))
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
            say("最长样本（词元）", "Cutoff length (tokens)"),
            value=TrainSpec.model_fields["cutoff_len"].default,
            min_value=16,
            step=64,
            key="preview-limit",
            help=say(
                "`cutoff_len`：一条样本最多的词元数；更长的会整条跳过并列出，不会被截断。",
                "`cutoff_len`: longest sample in tokens; longer ones are left out and listed,"
                " never truncated. ",
            )
            + say(*TOKEN_NOTE),
        )
    counted = token_preview.count_rows(
        workspace, model=models[model].path, dataset_dir=datasets[ref], template=template
    )
    if counted.state == "running":
        _waiting(counted.folder.name, models[model].path, datasets[ref], template)
        return
    if _show_failure(counted, "count") or counted.file is None:
        return
    _counts(counted, int(limit))
    _one_row(counted, models[model].path, datasets[ref], template, int(limit))


@st.fragment(run_every=1)
def _waiting(key: str, model: Path, dataset_dir: Path, template: TemplateName) -> None:
    """Draw the progress until the tokens are counted; then the page once more."""
    with report_errors():
        now = token_preview.count_rows(
            session.workspace(), model=model, dataset_dir=dataset_dir, template=template
        )
        if now.state != "running" or now.folder.name != key:
            st.rerun()
        share = now.done / now.total if now.total else 0.0
        counted = f" {now.done} / {now.total}" if now.total else ""
        st.progress(
            share,
            text=say("正在按训练时的编码统计词元……", "Counting tokens as encoded for training ...") + counted,
        )


def _show_failure(answer: TokenPreview, key: str) -> bool:
    """Draw why there is no answer, with a button to try again; return whether that was so."""
    if answer.failure is None:
        return False
    show_failure(*answer.failure)
    st.button(
        say("再试一次", "Try again"),
        key=f"preview-again-{key}",
        on_click=_forget,
        args=(answer,),
        icon=":material/refresh:",
    )
    return True


@reporting
def _forget(answer: TokenPreview) -> None:
    """Throw the failed answer away, so that the question is asked again."""
    token_preview.forget(answer)


def model_name(model: ModelEntry) -> str:
    """Name a base model as an option."""
    return say("内置小模型", "bundled small model") if model.bundled else model.name


def too_long_line(split: Split, lengths: tuple[int, ...], limit: int) -> str:
    """Say how many rows of a split exceed the cutoff."""
    over, longest = token_preview.too_long(lengths, limit), max(lengths, default=0)
    name = say(*SPLIT_NAMES[split])
    return say(
        f"{name}集 {len(lengths)} 行中有 {over} 行超过 {limit} 个词元的上限（最长 {longest} 个）。",
        f"{over} of {len(lengths)} {name} rows exceed the cutoff of {limit} tokens (longest: {longest}).",
    )


def _counts(counted: TokenPreview, limit: int) -> None:
    assert counted.file is not None
    lengths = counted.file.lengths
    over = {split: token_preview.too_long(lengths[split], limit) for split in SPLIT_NAMES}
    text = "  \n".join(too_long_line(split, lengths[split], limit) for split in SPLIT_NAMES)
    if any(over.values()):
        left_out = say("超长的行会整条跳过，不参加训练。", "Rows beyond the cutoff are left out of training.")
        st.warning(f"{text}  \n{left_out}", icon=":material/content_cut:")
        with st.expander(say("超长的行", "Rows beyond the cutoff"), key="preview-long"):
            _long_rows(lengths, limit)
    else:
        st.success(text, icon=":material/task_alt:")


def _long_rows(lengths: Mapping[str, tuple[int, ...]], limit: int) -> None:
    """Draw the rows beyond the cutoff, the longest first."""
    rows = [
        (length, split, row)
        for split in SPLIT_NAMES
        for row, length in enumerate(lengths[split], start=1)
        if length > limit
    ]
    table(
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
        alt=say("超长的行", "Rows beyond the cutoff"),
    )


def _one_row(
    counted: TokenPreview, model: Path, dataset_dir: Path, template: TemplateName, limit: int
) -> None:
    assert counted.file is not None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        split = choose_one(
            say("划分", "Split"),
            list(SPLIT_NAMES),
            key="preview-split",
            format_func=lambda name: say(*SPLIT_NAMES[name]),
            default="train",
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
            say("最长的一行", "Longest row"),
            key="preview-longest",
            on_click=_choose_row,
            args=(lengths.index(max(lengths)) + 1,),
        )
        direct = st.toggle(
            say("直接回答的样本（思维链为空）", "Direct-answer sample (empty chain)"),
            key="preview-direct",
        )
    row = min(int(number), len(lengths)) - 1
    answer = token_preview.see_block(
        session.workspace(), model=model, dataset_dir=dataset_dir, template=template, entry=split, row=row
    )
    if answer.state == "running":
        _waiting_for_row(answer.folder.name, model, dataset_dir, template, split, row)
    elif not _show_failure(answer, "row") and answer.file:
        seen = next(seen for seen in answer.file.rows if seen.row == row)
        _show_row(seen, direct, limit, answer.file.template)


@reporting
def _choose_row(number: int) -> None:
    """Put a row on screen."""
    st.session_state["preview-row"] = number


@st.fragment(run_every=0.5)
def _waiting_for_row(
    key: str, model: Path, dataset_dir: Path, template: TemplateName, split: Split, row: int
) -> None:
    with report_errors():
        now = token_preview.see_block(
            session.workspace(), model=model, dataset_dir=dataset_dir, template=template, entry=split, row=row
        )
        if now.state != "running" or now.folder.name != key:
            st.rerun()
        st.caption(say("正在编码这些行……", "Encoding these rows ..."))


def _show_row(seen: SeenRow, direct: bool, limit: int, template: TemplateName) -> None:
    pieces = seen.direct if direct else seen.chain
    total, learned = _tokens(pieces), _tokens([piece for piece in pieces if piece.learned])
    parts = [
        say(f"模板 **{template}**", f"template **{template}**"),
        say(f"共 **{total}** 个词元", f"**{total}** tokens"),
        say(f"其中 **{learned}** 个计入损失", f"**{learned}** of them in the loss"),
        say(
            f"超出上限 **{total - limit}** 个：这一行会被跳过",
            f"**{total - limit}** over the cutoff: left out",
        )
        if total > limit
        else say(
            f"距上限还有 {limit - total} 个：完整参加训练",
            f"{limit - total} below the cutoff: trained on in full",
        ),
    ]
    st.markdown("　·　".join(parts))
    token_boxes(pieces, cutoff_len=limit, key=f"tokens-{seen.row}-{direct}")
    st.caption(
        say(
            "灰色：只作输入，不计损失。蓝色：模型要学会写的部分。橙色：类别所在，损失加权（label_weight）。"
            "删除线：超出上限（cutoff_len）。指向一个词元可看它的位置和编号。",
            "Grey: input only. Blue: what the model learns to write. Orange: the category, with a higher "
            "weight in the loss (label_weight). Crossed out: beyond the cutoff (cutoff_len). Point at a "
            "token to see its position and id.",
        )
    )


def _tokens(pieces: tuple[Piece, ...] | list[Piece]) -> int:
    return sum(len(piece.ids) for piece in pieces)


def train_line(model: ModelEntry, dataset_dir: Path, template: TemplateName, limit: int) -> None:
    """Draw how many rows of the chosen data exceed the chosen cutoff, for the Train page."""
    counted = token_preview.count_rows(
        session.workspace(), model=model.path, dataset_dir=dataset_dir, template=template
    )
    if counted.state == "running":
        _waiting(counted.folder.name, model.path, dataset_dir, template)
        return
    if counted.file is None:
        problem = counted.failure[0] if counted.failure else ""
        st.caption(say("无法统计词元：", "Tokens could not be counted: ") + plain(problem))
        return
    lengths = counted.file.lengths["train"]
    line = too_long_line("train", lengths, limit)
    with st.container(horizontal=True, vertical_alignment="center"):
        if token_preview.too_long(lengths, limit):
            st.warning(line, icon=":material/content_cut:", width="stretch")
        else:
            st.caption(f":material/task_alt: {line}", width="content")
        pressed = st.button(
            say("模型看到什么", "What the model sees"),
            key="train-preview",
            icon=":material/visibility:",
            type="tertiary",
        )
    if pressed:
        st.session_state["choose-preview-model"] = model.name
        st.session_state["preview-limit"] = limit
        st.session_state["datasets-open"] = "preview"
        st.switch_page(session.page_path("datasets"))
