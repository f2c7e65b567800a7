"""Fuzz `check` and `import`: files mutated in every way, and both commands run on each."""

import contextlib
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy  # noqa: F401  # what a command would import is here before it forks
import openpyxl
import pandas
import pyarrow.parquet  # noqa: F401

import studio.ingest.importer
import studio.validation.duplicates  # noqa: F401
from studio.cli.main import main as command_line
from studio.formats.encodings import decode
from studio.formats.sharegpt import canonical_blocks
from studio.ingest.importer import import_text
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.workspace import BUNDLED_DATASET, open_workspace

MOST_MIB, MOST_SECONDS = 600, 60
FRESH_HOME = 50
"""Imports after which the workspace is a new one, so that none meets a large one."""
ROWS = 6


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a command ended: its exit code, or the negative of the signal that ended it."""

    code: int
    output: str
    seconds: float
    peak_mib: float

    @property
    def fault(self) -> str | None:
        """Why the ending is a fault; None where it is none."""
        if self.code not in (0, 1, 2):
            return f"exit code {self.code}"
        if "Traceback" in self.output:
            return "traceback"
        return "no message" if not self.output.strip() else None


def run_all(parent: Path, numbers: Sequence[int], seed: int) -> tuple[list[tuple[str, Ending]], list[str]]:
    """Run both commands on every mutated file; returns how each ended, and a line for each fault."""
    scheme, home = load_scheme(), parent / "home"
    template = open_workspace(parent / "template")
    db = open_store(template.database)
    import_text(db, "一条旧标题", scheme)
    db.close()
    endings, faults = [], []
    for number in numbers:
        if number % FRESH_HOME == 0 or not home.exists():
            shutil.rmtree(home, ignore_errors=True)
            shutil.copytree(template.home, home)
        case = parent / "case"
        path = write_case(case, random.Random(f"{seed}-{number}"))
        fix = ["--fix", str(case / "fixed.json" if path.is_file() else parent / "case-fixed")]
        for command in (["check", str(path), *(fix if number % 4 == 0 else [])], ["import", str(path)]):
            ending = run(command, home)
            endings.append((command[0], ending))
            is_in = command[0] == "import" and ending.code == 0
            if fault := ending.fault or (swallowed(case, home) if is_in else None):
                faults.append(f"{number} {path.name} {command[0]}: {fault}\n{ending.output[-1500:]}")
                sys.stderr.write(faults[-1] + "\n")
        shutil.rmtree(case)
        shutil.rmtree(parent / "case-fixed", ignore_errors=True)
    return endings, faults


def swallowed(case: Path, home: Path) -> str | None:
    """Return a title of the newest import that holds a cell of its table's categories, if there is one.

    `case` has the separator in a file of its own, where the mutated file was a table. A file that is left
    with one line of a title and its category shows no separator to anybody: it is passed over.
    """
    mark = case / SEPARATOR
    if not mark.exists():
        return None
    separator, names = mark.read_text(encoding="utf-8"), set(load_scheme().names)
    path = next(case.glob("data.*"))
    lines = decode(path.read_bytes(), path.name).splitlines()
    cells_of_lines = ([cell.strip() for cell in line.split(separator)] for line in lines)
    if sum(len(cells) > 1 and not names.isdisjoint(cells) for cells in cells_of_lines) < 2:
        return None
    with contextlib.closing(sqlite3.connect(home / "studio.db")) as db:
        titles = db.execute(
            "select distinct text from titles join imported_rows on title_id = titles.id"
            " where imported_rows.batch_id = (select max(id) from batches)"
        ).fetchall()
    for (title,) in titles:
        cells = [cell.strip() for cell in title.split(separator.strip() or separator)]
        if len(cells) > 1 and any(cell in names for cell in cells):
            return f"the separator {separator!r} stands in the title {title[:80]!r}"
    return None


SEPARATOR = "separator.txt"


def run(arguments: Sequence[str], home: Path) -> Ending:
    """Run a command in a forked process, so that 20,000 of them need not start Python anew."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            _become_the_command(arguments, home, output.fileno())
        _, status, usage = os.wait4(child, 0)
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    return Ending(
        code=os.waitstatus_to_exitcode(status),
        output=text,
        seconds=time.perf_counter() - began,
        peak_mib=usage.ru_maxrss / 1024,
    )


def _become_the_command(arguments: Sequence[str], home: Path, output: int) -> None:
    """Run the command in this process under memory and time limits, and exit; never returns."""
    code = 70
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding="utf-8", errors="replace")
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding="utf-8", errors="replace")
        signal.alarm(MOST_SECONDS)  # its default is to end the process
        limit = _virtual_bytes() + (MOST_MIB << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        os.environ["STUDIO_HOME"] = str(home)
        sys.argv = ["news-studio", *arguments]
        command_line()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 70
    except BaseException:  # noqa: BLE001  # whatever it is, it is what the person would see
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _virtual_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def write_case(case: Path, draw: random.Random) -> Path:
    """Write one mutated file or folder; returns the path to check."""
    case.mkdir()
    rows = draw.sample(_samples(), ROWS)
    kind = draw.choice([*KINDS, *DELIMITED])
    path = case / f"data.{kind}"
    if kind in DELIMITED:
        separator, content = _delimited(rows, draw, DELIMITED[kind])
        (case / SEPARATOR).write_text(separator, encoding="utf-8")
        path.write_bytes(_mutated(content, draw, often=True))
        return path
    if kind != "folder":
        path.write_bytes(_mutated(KINDS[kind](rows, draw), draw, often=kind in TEXT))
        return path
    path.mkdir()
    (path / "a.json").write_bytes(_mutated(KINDS["json"](rows, draw), draw, often=False))
    info = {"train": {"file_name": "a.json", **canonical_blocks()}, "eval": {"file_name": "b.json"}}
    if draw.random() < 0.5:
        info["train"]["file_name"] = draw.choice(FILE_NAMES)
    if draw.random() < 0.3:
        (path / "b.json").symlink_to(draw.choice(["/etc/passwd", "..", "b.json", "a.json", "/dev/zero"]))
    (path / "dataset_info.json").write_bytes(_mutated(_json(info, draw), draw, often=False))
    return path


def _samples() -> list[Any]:
    if not _KEPT:
        _KEPT.extend(json.loads((BUNDLED_DATASET / "train.json").read_text(encoding="utf-8")))
    return _KEPT


_KEPT: list[Any] = []
FILE_NAMES = [
    "../a.json", "/etc/passwd", "a.json/../../x", "", ".", "a\0.json", "~/a.json", "C:\\a.json", "a" * 5000,
    "..", "a.json ",
]  # fmt: skip
ODD: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, "", " ", "体育", "\ud83d", "\u0000", "\u202e", "<think>",
    "</think>", "a" * 30_000, [], {}, [[]], [None], {"": None}, {"from": "human"}, ["x"] * 2000,
    "@RAW:1e999@", "@RAW:-Infinity@", "@RAW:NaN@", "@RAW:" + "9" * 9000 + "@",
    "@RAW:" + "[" * 60 + "]" * 60 + "@", "@RAW:" + "[" * 100_000 + "]" * 100_000 + "@",
    "@RAW:" + '{"a":' * 3000 + "1" + "}" * 3000 + "@",
    '@RAW:{"from": "human", "from": "gpt", "value": 1, "value": "x"}@', '@RAW:"\\ud800"@', '@RAW:"\\x"@',
    "@RAW:@",
]  # fmt: skip
"""Values of wrong types and sizes, and invalid JSON; RAW is written as it is."""


def _json(value: Any, draw: random.Random) -> bytes:
    """Serialize to JSON with up to three values replaced by odd ones."""
    for _ in range(draw.choice((0, 1, 1, 2, 3))):
        value = _replaced(value, draw)
    text = json.dumps(value, ensure_ascii=draw.random() < 0.5, indent=draw.choice((None, None, 2)))
    text = re.sub(r'"@RAW:(.*?)@"', lambda found: found[1].replace('\\"', '"').replace("\\\\", "\\"), text)
    return text.encode("utf-8", "surrogatepass")


def _replaced(value: Any, draw: random.Random) -> Any:
    """Replace one value, or key, somewhere in a document."""
    if isinstance(value, dict) and value and draw.random() < 0.9:
        key = draw.choice(list(value))
        if draw.random() < 0.15:
            return {
                draw.choice(["", "frm", key.upper()]) if name == key else name: each
                for name, each in value.items()
            }
        return {**value, key: _replaced(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.9:
        index = draw.randrange(len(value))
        return [*value[:index], _replaced(value[index], draw), *value[index + 1 :]]
    return draw.choice(ODD)


def _lines(rows: list[Any], draw: random.Random) -> bytes:
    return b"\n".join(_json(row, draw) for row in rows)


def _alpaca(rows: list[Any], draw: random.Random) -> bytes:
    texts = [[turn["value"] for turn in row["conversations"]] for row in rows]
    return _json(
        [{"instruction": "新闻分类：", "input": q, "output": a, "history": []} for q, a in texts], draw
    )


def _messages(rows: list[Any], draw: random.Random) -> bytes:
    roles = {"human": "user", "gpt": "assistant"}
    turns = [
        [{"role": roles[turn["from"]], "content": turn["value"]} for turn in row["conversations"]]
        for row in rows
    ]
    return _json([{"messages": each} for each in turns], draw)


def _table(rows: list[Any], draw: random.Random) -> pandas.DataFrame:
    cells = [[turn["value"] for turn in row["conversations"]] for row in rows]
    odd = ["", "=1+1", "a,b", 'x"y', "\ufeff", "2026-13-45", None, "很长" * 9000]
    frame = pandas.DataFrame(cells, columns=["标题", "类别"], dtype=object)
    for _ in range(draw.randrange(3)):
        frame.iloc[draw.randrange(len(cells)), draw.randrange(2)] = draw.choice(odd)
    return frame


def _csv(rows: list[Any], draw: random.Random) -> bytes:
    text = _table(rows, draw).to_csv(index=False, sep=draw.choice(",;\t"))
    return text.encode(draw.choice(["utf-8", "gbk", "utf-16", "utf-8-sig", "big5"]), "replace")


def _delimited(rows: list[Any], draw: random.Random, separators: Sequence[str]) -> tuple[str, bytes]:
    """Write titles and categories with a separator between them, as programs and people do."""
    separator = draw.choice(separators)
    pairs = [[turn["value"] for turn in row["conversations"]] for row in rows]
    cells = [
        [title.removeprefix("新闻分类：").replace(separator.strip() or "\0", ""), answer.rpartition("\n")[2]]
        for title, answer in pairs
    ]
    heading = draw.choice([["标题", "类别"], ["title", "label"], ["bt", "lb"], None, None])
    table = [*([heading] if heading else []), *cells]
    if draw.random() < 0.4:
        table = [line[::-1] for line in table]
    if draw.random() < 0.15:
        table.insert(0, ["第三季度"])
    if draw.random() < 0.15:
        table[draw.randrange(len(table))].append(draw.choice(["", "备注", "体育", "12"]))
    ends = draw.choice(["\n", "\n", "\r\n", "\n\n"])
    text = ends.join(separator.join(line) for line in table) + draw.choice(["", ends])
    if draw.random() < 0.1 and len(separator) == 1 and separator not in " \t":
        text = f"sep={separator}\n{text}"
    return separator, text.encode(draw.choice(["utf-8", "utf-8", "gbk", "utf-16", "utf-8-sig"]), "replace")


DELIMITED: dict[str, Sequence[str]] = {
    "txt": ("\t", "|", ",", ";", "，", "；", " ", "：", ":", "||", "_!_", " - ", "\x01"),
    "tsv": ("\t",),
    "delimited.csv": (",", ";", "\t", "|", "，"),
}
"""Suffixes of tables whose titles do not contain the separator: none may come in with it."""


def _xlsx(rows: list[Any], draw: random.Random) -> bytes:
    book = openpyxl.Workbook()
    for cells in [("标题", "类别"), *_table(rows, draw).itertuples(index=False)]:
        book.active.append([cell[:3000] if isinstance(cell, str) else None for cell in cells])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _parquet(rows: list[Any], draw: random.Random) -> bytes:
    content = io.BytesIO()
    frame = pandas.DataFrame(rows) if draw.random() < 0.5 else _table(rows, draw)
    frame.to_parquet(content)
    return content.getvalue()


KINDS: dict[str, Callable[[list[Any], random.Random], bytes]] = {
    "json": _json,
    "jsonl": _lines,
    "alpaca.json": _alpaca,
    "openai.json": _messages,
    "csv": _csv,
    "xlsx": _xlsx,
    "parquet": _parquet,
    "folder": _json,
}
TEXT = ("csv", "xlsx", "parquet")
"""Kinds whose values are hardly odd in themselves: their bytes are broken more often."""


def _mutated(content: bytes, draw: random.Random, *, often: bool) -> bytes:
    """Mutate bytes: truncate, splice, overwrite, double, transcode, or leave them as they are."""
    if draw.random() > (0.8 if often else 0.3):
        return content
    at = draw.randrange(len(content) + 1)
    other = draw.randrange(len(content) + 1)
    match draw.randrange(8):
        case 0:
            return content[:at]
        case 1:
            return content[at:]
        case 2:
            return content[: min(at, other)] + content[max(at, other) :]
        case 3:
            return content[:at] + content[other : other + 200] + content[at:]
        case 4:
            return content[:at] + draw.randbytes(draw.choice((1, 4, 64))) + content[at + 1 :]
        case 5:
            return content + content
        case 6:
            return content.decode("utf-8", "replace").encode(
                draw.choice(["utf-16", "utf-32", "gb18030"]), "replace"
            )
        case _:
            return (
                draw.choice([b"", b"\x00" * 100, b"\xef\xbb\xbf", b"[", b"PK\x03\x04", b"PAR1", b"null"])
                + content[other:]
            )
