"""Say what the records of a file were taken for, and what of the file is not read."""

from collections.abc import Sequence

from studio.formats.choices import separator_name
from studio.formats.columns import Columns
from studio.formats.records import Records
from studio.language import half, say
from studio.samples.problems import Problem, Severity, remark


def form_words(records: Records) -> list[str]:
    """Say how a text was read, where that is not plain."""
    form, heading = records.text, records.heading
    words = []
    if form is not None:
        if form.kind == "fasttext":
            words.append(say("fastText 标签", "fastText labels"))
        elif form.kind == "numbered":
            words.append(say("带编号的标题，编号已去掉", "a numbered list, without its numbers"))
        elif form.kind == "table" and heading is not None and not heading.is_list:
            words.append(_table_words(form.separator, form.side))
    if records.sheet and records.other_sheets:
        words.append(say(f"工作表“{records.sheet}”", f"sheet “{records.sheet}”"))
    if heading is not None and not heading.is_list and heading.row == 0:
        words.append(say("没有表头", "no heading"))
    return words


def _table_words(separator: str, side: str) -> str:
    kind = separator_name(separator)
    if side == "first":
        return say(f"类别在每行开头，用{kind}分隔", f"the category first in each line, set off by {kind}")
    if side == "last":
        return say(f"类别在每行末尾，用{kind}分隔", f"the category last in each line, set off by {kind}")
    return say(f"用{kind}分隔的表格", f"a table with {kind} between cells")


def remarks_on_form(records: Records, name: str) -> list[Problem]:
    """Report what was decided about the form of a file, and what of it is not read."""
    remarks = []
    if records.encoding not in (None, "UTF-8"):
        message = say(
            f"文件编码是 {records.encoding}，已按此读取；许多训练工具只认不带 BOM 的 UTF-8。",
            f"The file was read as {records.encoding}; many training tools accept only UTF-8 without BOM.",
        )
        remarks.append(remark(name, "encoding", "warning", message, found=records.encoding))
    if records.other_sheets:
        sheets = ", ".join(records.other_sheets)
        message = say(
            f"只读了工作表“{records.sheet}”，没有读：{sheets}。要读别的，请用 --sheet 选择。",
            f"Only the sheet “{records.sheet}” was read, not: {sheets}. Choose another with --sheet.",
        )
        remarks.append(remark(name, "other_sheets", "warning", message, found=sheets))
    heading, form = records.heading, records.text
    if heading is not None and heading.above:
        remarks.append(
            note(
                name,
                "rows_above_heading",
                "warning",
                f"表头在第 {heading.row} 行，上面的 {heading.above} 行没有读。",
                f"The heading is in row {heading.row}; the {heading.above} rows above it were not read.",
            )
        )
    if heading is not None and heading.renamed:
        twice = "、".join(heading.renamed)
        remarks.append(
            note(
                name,
                "duplicate_column",
                "warning",
                f"有两列同名：{twice}；只用第一列。",
                f"Two columns have one name: {', '.join(heading.renamed)}; the first is used.",
            )
        )
    if records.merges:
        remarks.append(
            note(
                name,
                "merged_cells",
                "warning",
                f"{records.merges} 处合并的单元格：每一行都填了同一个值。",
                f"{records.merges} merged ranges: each row was filled with their value.",
            )
        )
    if form is not None and (form.kind in ("fasttext", "numbered") or form.side != "all"):
        zh = "、".join(str(half(word, "zh")) for word in form_words(records))
        en = ", ".join(str(half(word, "en")) for word in form_words(records))
        remarks.append(note(name, "read_as", "hint", f"读作：{zh}。", f"Read as: {en}."))
    return remarks


def remarks_on_columns(
    name: str,
    rivals: Sequence[str],
    unused: Sequence[str],
    unused_labels: Sequence[str],
    columns: Columns,
) -> list[Problem]:
    """Report columns that could be the titles as well, and those that were not used."""
    remarks = []
    if rivals:
        remarks.append(
            note(
                name,
                "title_rivals",
                "warning",
                f"标题取自“{columns.title}”列；“{'”“'.join(rivals)}”也像标题，"
                "如果是它，请用 --title-column 选择。",
                f"Titles are taken from “{columns.title}”; “{'”, “'.join(rivals)}” could hold them as well:"
                " choose with --title-column.",
            )
        )
    if unused_labels:
        remarks.append(
            note(
                name,
                "unused_labels",
                "warning",
                f"“{'”“'.join(unused_labels)}”列里大多是类别，没有采用；"
                "如果是答案，请用 --category-column 选择。",
                f"The column “{'”, “'.join(unused_labels)}” holds categories and was not taken:"
                " if these are the answers, choose it with --category-column.",
            )
        )
    others = [column for column in unused if column not in unused_labels]
    if others:
        shown, more = others[:12], len(others) - 12
        tail = (f"……等 {len(others)} 列", f", and {more} more") if more > 0 else ("", "")
        remarks.append(
            note(
                name,
                "unused_columns",
                "hint",
                f"没有用到的列：{'、'.join(shown)}{tail[0]}。",
                f"Columns that were not used: {', '.join(shown)}{tail[1]}.",
            )
        )
    return remarks


def note(name: str, code: str, severity: Severity, zh: str, en: str) -> Problem:
    """Build a remark on a file in both languages."""
    return remark(name, code, severity, say(zh, en))
