"""Measure `news-studio check` of a ShareGPT file: seconds and memory, for files of several sizes.

    python -m benchmarks.data.check_speed [--rows 10000 100000 1000000] [--repeat 1]

Rows of about 800 bytes, as long as those of the bundled set with a chain of 200 characters, no two
alike; of every 1,000 rows eight have a fault each, and the check must count exactly those. The
command runs in a subprocess, with --json, start-up included. Exit code 1 when a count is
wrong, when 1,000,000 rows take more than 3 minutes or 600 MiB, or when a row costs more than 1.3
times as much in the largest file as in the one before. Seconds are wall time; on a machine with
other work, processor time is more reliable.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.formats.sharegpt import canonical_blocks
from studio.samples.scheme import load_scheme

MOST_SECONDS, MOST_MIB, MOST_GROWTH = 180, 600, 1.3
FINAL = 1_000_000
EVERY = 1000
"""Rows between two faults of a kind."""
NAMES = load_scheme().names
PROMPT = load_scheme().prompt


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of one check: wall time and processor time (user and system) in seconds, peak memory."""

    seconds: float
    processor: float
    peak_mib: float


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, FINAL])
    parser.add_argument("--repeat", type=int, default=1)
    arguments = parser.parse_args()
    report("rows", "MB", "seconds", "processor", "rows/s", "MiB")
    failed, per_row = False, []
    for rows in sorted(arguments.rows):
        with tempfile.TemporaryDirectory() as name:
            folder = write_folder(Path(name), rows)
            size = (folder / "train.json").stat().st_size / 1e6
            costs = [check(folder, rows) for _ in range(arguments.repeat)]
        best = min(costs, key=lambda cost: cost.processor)
        report(
            f"{rows}", f"{size:.0f}", f"{best.seconds:.1f}", f"{best.processor:.1f}",
            f"{rows / best.seconds:.0f}", f"{best.peak_mib:.0f}",
        )  # fmt: skip
        per_row.append(best.processor / rows)
        failed |= rows >= FINAL and (best.seconds > MOST_SECONDS or best.peak_mib > MOST_MIB)
    if len(per_row) > 1:
        growth = per_row[-1] / per_row[-2]
        sys.stdout.write(f"a row of the largest file costs {growth:.2f} times one of the file before\n")
        failed |= growth > MOST_GROWTH
    return int(failed)


def write_folder(folder: Path, rows: int) -> Path:
    """Write a folder with one ShareGPT file, a row a line, and its dataset_info.json."""
    with (folder / "train.json").open("w", encoding="utf-8") as file:
        file.write("[\n")
        for row, turns in enumerate(conversations(rows)):
            file.write(json.dumps({"conversations": turns}, ensure_ascii=False))
            file.write(",\n" if row < rows - 1 else "\n]\n")
    info = {"train": {"file_name": "train.json", **canonical_blocks()}}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return folder


def conversations(rows: int) -> Iterator[list[dict[str, Any]]]:
    """Generate questions and answers, with a fault in the first rows of every thousand."""
    draw = random.Random(1)
    characters = [chr(code) for code in range(0x4E00, 0x4E00 + 3000)]
    text = "".join("，" if n % 13 == 12 else draw.choice(characters) for n in range(1_000_000))
    kinds = list(FAULTS.values())
    for row in range(rows):
        start, category = draw.randrange(len(text) - 300), NAMES[row % len(NAMES)]
        title = text[start : start + 22].replace("，", "")
        chain = f"先看{category}。“{title[2:8]}”{text[start + 30 : start + 190]}。所以归{category}。"
        answer = f"<think>\n{chain}\n</think>\n\n{category}"
        turns: list[dict[str, Any]] = [
            {"from": "human", "value": f"{PROMPT}{title}"},
            {"from": "gpt", "value": answer},
        ]
        if row % EVERY < len(kinds):
            kinds[row % EVERY](turns)
        yield turns


def _change(turn: int, old: str, new: str) -> Callable[[list[dict[str, Any]]], None]:
    def change(turns: list[dict[str, Any]]) -> None:
        turns[turn]["value"] = turns[turn]["value"].replace(old, new)

    return change


FAULTS: dict[str, Callable[[list[dict[str, Any]]], object]] = {
    "think_form": _change(1, "</think>\n\n", "</think>\n"),
    "think_unclosed": _change(1, "</think>", ""),
    "prefix_missing": _change(0, PROMPT, ""),
    "null_value": lambda turns: turns[1].update(value=None),
    "unknown_role": lambda turns: turns[1].update({"from": "bot"}),
    "odd_turns": lambda turns: turns.pop(),
    "role_order": lambda turns: turns.reverse(),
    "answer_not_category": _change(1, "</think>\n\n", "</think>\n\n另"),
}
"""The faults planted in the first rows of every 1,000, by the problem code that reports them."""


def check(folder: Path, rows: int) -> Cost:
    """Time `news-studio check` of the folder; every planted fault must be counted, and no other error."""
    command = [
        sys.executable,
        "-c",
        "from studio.cli.main import main; main()",
        "check",
        str(folder),
        "--json",
    ]
    began = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output)
        _, _, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        output.seek(0)
        document = json.load(output)
    planted = {code: rows // EVERY for code in FAULTS}
    assert document["rows"] == rows, document["rows"]
    assert {code: document["counts"].get(code, 0) for code in FAULTS} == planted, document["counts"]
    wrong = sum(problem["severity"] == "error" for problem in document["problems"])
    errors = sum(planted.values()) - planted["think_form"] - planted["prefix_missing"]
    assert wrong == errors and document["valid"] == rows - errors, (wrong, document["valid"])
    return Cost(seconds=seconds, processor=usage.ru_utime + usage.ru_stime, peak_mib=usage.ru_maxrss / 1024)


def report(*cells: str) -> None:
    sys.stdout.write("  ".join(cell.rjust(9) for cell in cells) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
