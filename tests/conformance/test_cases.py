"""What our check calls an error is what LLaMA-Factory drops or dies of; where not, the case says why."""

import json
from pathlib import Path

import pytest

from studio.formats.reader import read_available_rows
from studio.samples.problems import Problem
from studio.samples.scheme import load_scheme
from studio.validation.check import check_path
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL
from tests.support.conformance_cases import ENTRIES, NO_ROW, ROWS, Case

SCHEME = load_scheme()
GOOD = json.loads((BUNDLED_DATASET / "train.json").read_text(encoding="utf-8"))[:2]
HARM = ("dies", "drops")
OF_THE_SET = {"category_missing", "category_rare"}
"""Codes that a file of three rows gets whatever its rows are."""


def build(case: Case, folder: Path) -> Path:
    """A folder with the case's row between two good rows of its form, or good rows alone."""
    first, last = [_in_form(row, case) for row in GOOD]
    rows = [first, last] if case.row is NO_ROW else [first, case.row, last]
    (folder / "train.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    info = {"train": {"file_name": "train.json", **case.entry}}
    (folder / "dataset_info.json").write_text(json.dumps(info), encoding="utf-8")
    return folder


def _in_form(row, case: Case):
    question, answer = (turn["value"] for turn in row["conversations"])
    if isinstance(case.row, dict) and {"instruction", "input", "output"} & set(case.row):
        alpaca = {"instruction": question, "input": "", "output": answer, "history": []}
        return {key: value for key, value in alpaca.items() if key not in case.lacks}
    if "from" in case.lacks:
        return {
            "conversations": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        }
    return row


def theirs(case: Case, folder: Path, llamafactory) -> tuple[str, str]:
    """("keeps" | "reads otherwise" | "drops" | "dies", how)."""
    converted = llamafactory.ask("convert", folder=folder, dataset="train")
    if "died" in converted:
        return "dies", _in_short(converted["died"], folder)
    kept = [row for row in converted["rows"] if row["kept"]]
    loaded = llamafactory.ask(
        "load", folder=folder, dataset="train", tokenizer=BUNDLED_MODEL, template="deepseekr1"
    )
    if "died" in loaded:
        return "dies", _in_short(loaded["died"], folder)
    assert len(loaded["input_ids"]) == len(kept), case.name
    if len(kept) < len(converted["rows"]):
        return "drops", f"{len(converted['rows']) - len(kept)} of {len(converted['rows'])} rows"
    is_same = all(map(_is_read_so, kept, read_available_rows(folder).rows))
    return (
        ("keeps", "")
        if is_same
        else ("reads otherwise", f"system text “{kept[0]['system']}”" if kept[0]["system"] else "")
    )


def _in_short(reason: str, folder: Path) -> str:
    """The beginning of an error message, without the place of a test's files and what breaks a table."""
    text = reason.replace(f"{folder}/", "").splitlines()[0].replace("|", "/")
    return f"`{text.replace('`', '')[:90]}`"


def _is_read_so(row, read) -> bool:
    """Whether our reading is a question and its answer of theirs, under the same system text."""
    said = [text for _, text in row["turns"]]
    pairs = list(zip(said[::2], said[1::2], strict=True))
    return (read.question, read.answer) in pairs and (read.system or "") == (row["system"] or "")


def ours(case: Case, folder: Path) -> list[Problem]:
    """What our check says about the case: its row, its entry, its file."""
    problems = check_path(folder, SCHEME).problems
    wanted = (None, 2) if case.row is not NO_ROW else (None, 1, 2)
    return [problem for problem in problems if problem.row in wanted and problem.code not in OF_THE_SET]


def row_of_table(case: Case, folder: Path, llamafactory) -> tuple[str, ...]:
    """Measures one case, and requires that a difference has its reason."""
    build(case, folder)
    outcome, how = theirs(case, folder, llamafactory)
    problems = ours(case, folder)
    errors = {problem.code for problem in problems if problem.severity == "error"}
    told = errors or {problem.code for problem in problems if problem.severity == "warning"}
    is_stricter = bool(errors) and outcome not in HARM
    is_looser = (not errors and outcome in HARM) or (not told and outcome != "keeps")
    assert not is_stricter or case.stricter, (case.name, outcome, how, problems)
    assert not is_looser or case.looser, (case.name, outcome, how, problems)
    said = (
        f"{'error' if errors else 'warning'}: {', '.join(f'`{code}`' for code in sorted(told))}"
        if told
        else "-"
    )
    reason = f"stricter: {case.stricter}" if is_stricter else f"looser: {case.looser}" if is_looser else "-"
    return (case.name, f"{outcome}: {how}" if how else outcome, said, reason)


HEADER = ("case", "LLaMA-Factory 0.9.5", "`news-studio check`", "why not the same")


@pytest.mark.parametrize(("name", "cases"), [("rows", ROWS), ("entries", ENTRIES)])
def test_every_error_is_theirs_or_has_its_reason(name, cases, llamafactory, documented, tmp_path):
    table = []
    for number, case in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        table.append(row_of_table(case, folder, llamafactory))
    documented.require(name, HEADER, table)
