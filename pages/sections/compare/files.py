"""Import answers of other programs, and offer those of the compared runs as files."""

from collections.abc import Sequence
from datetime import date
from functools import partial

import streamlit as st

from pages.shared import session
from pages.shared.feedback import report_errors
from pages.shared.files import fitting_name, uploaded_path
from pages.shared.text import plain
from studio.datasets.lookup import resolve_dataset
from studio.datasets.versions import list_versions
from studio.evaluation.entries import Entry
from studio.evaluation.prediction_import import (
    ExportForm,
    ImportReport,
    export_predictions,
    import_predictions,
)
from studio.evaluation.report import write_report
from studio.gate.lineage import lineage_reader
from studio.language import current_language, say
from studio.workspace import BUNDLED_NAME

OWN = ""
"""In the choice of the dataset: the file itself says titles and true categories."""
FORMS: dict[ExportForm, str] = {
    "csv": "text/csv",
    "json": "application/json",
    "parquet": "application/octet-stream",
}


def downloads(entries: Sequence[Entry], *, common: bool) -> None:
    """Offer the report and the predictions of each run; a file is made when its button is pressed."""
    with st.expander(
        say("下载报告和逐条答案", "Download the report and the predictions"),
        icon=":material/download:",
        key="compare-files",
    ):
        st.download_button(
            say("报告（一个 HTML 文件）", "Report (one HTML file)"),
            partial(
                write_report,
                entries,
                current_language.get(),
                common=common,
                lineage=lineage_reader(session.workspace()),
            ),
            file_name=f"report_{date.today():%Y%m%d}.html",
            mime="text/html",
            key="compare-report",
            icon=":material/description:",
            on_click="ignore",
        )
        for number, entry in enumerate(entries):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(plain(entry.name))
                for form, mime in FORMS.items():
                    st.download_button(
                        form.upper(),
                        partial(export_predictions, entry.runs[0], entry.answer, form),
                        file_name=fitting_name(
                            f"{entry.runs[0].id}_{entry.answer}_{date.today():%Y%m%d}.{form}"
                        ),
                        mime=mime,
                        key=f"compare-download-{number}-{form}",
                        on_click="ignore",
                    )


def import_section() -> None:
    """Draw the import of a file of answers."""
    workspace = session.workspace()
    with st.expander(
        say("导入其他程序的答案", "Import answers of other programs"),
        icon=":material/upload_file:",
        key="compare-import",
    ):
        st.caption(
            say(
                "LLaMA-Factory 的 generated_predictions.jsonl、OpenAI 批处理输出，"
                "或有标题和预测类别（可带概率）的表格。导入后和自己的评估一样打分、比较。",
                "LLaMA-Factory's generated_predictions.jsonl, OpenAI batch output, or a table with titles "
                "and predicted categories, perhaps with probabilities; compared like a run of ours.",
            )
        )
        own = say("文件里自带标题和正确类别", "the file has titles and true categories")
        bundled = say("内置样例", "bundled samples")
        refs = [OWN, *(version.ref for version in list_versions(session.store(), workspace)), BUNDLED_NAME]
        left, right = st.columns(2)
        ref = left.selectbox(
            say("回答的是哪个数据集", "Which data set was answered"),
            refs,
            index=min(1, len(refs) - 1),
            format_func=lambda each: own if each == OWN else bundled if each == BUNDLED_NAME else each,
            key="choose-import-dataset",
        )
        name = right.text_input(
            say("名称（可选）", "Name (optional)"), key="import-predictions-name", max_chars=80
        )
        file = st.file_uploader(
            say("答案文件", "File of answers"),
            type=["jsonl", "json", "csv", "tsv", "xlsx", "parquet", "txt"],
            key="import-predictions-file",
        )
        if file is not None and st.button(say("导入", "Import"), key="import-predictions", type="primary"):
            with report_errors(), uploaded_path(file) as path:
                dataset = None if ref == OWN else resolve_dataset(workspace, ref)
                report = import_predictions(
                    session.store(), workspace, path, dataset, author=session.annotator(), label=name
                )
                _done(report)


def _done(report: ImportReport) -> None:
    st.success(plain(report.sentence), icon=":material/check_circle:")
    for example in report.unmatched:
        st.caption(plain(example))
    session.link("compare", say("选它来比较", "Compare it"), b=f"{report.run.id}:{report.answer}")
