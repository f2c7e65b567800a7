"""Compare how long LLaMA-Factory takes to load a ShareGPT file and `news-studio check` to check it.

    make conformance                      once, for its environment
    python -m benchmarks.data.llamafactory_loading [--rows 10000 100000] [--repeat 3]

Three times for each size, the best of `--repeat` runs, each in a subprocess, one after the
other: LLaMA-Factory's reading and converting, the same with tokenizing (its `get_dataset`), and our
check with all its checks. Theirs is timed inside their process, when its imports are done; ours from
the start of the command to its end. 1,000,000 rows are estimated from the largest size, and marked so,
unless they are among `--rows`. Exit code 1 when the check takes longer than their loading with tokenizing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.formats.sharegpt import canonical_blocks
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL

ROOT = Path(__file__).resolve().parent.parent.parent
THEIR_PYTHON = ROOT / ".venv-conformance" / "llamafactory" / "bin" / "python"
FINAL = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of one loading: seconds, and the peak memory of its process in MiB."""

    seconds: float
    peak_mib: float


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    report("rows", "what", "seconds", "rows/s", "MiB", "check is")
    slower = False
    for rows in sorted(arguments.rows):
        with tempfile.TemporaryDirectory() as name:
            costs = measure(write_folder(Path(name), rows), rows, arguments.repeat)
        show(rows, costs)
        slower = slower or costs["check"].seconds > costs["their get_dataset"].seconds
    if FINAL not in arguments.rows:
        factor = FINAL / max(arguments.rows)
        for what, cost in costs.items():
            report(f"{FINAL}", f"{what}, ESTIMATE", f"{factor * cost.seconds:.0f}", "", "", "")
    return int(slower)


def write_folder(folder: Path, rows: int) -> Path:
    """Write a folder with one ShareGPT file: the bundled rows repeated, each title with its number."""
    samples = json.loads((BUNDLED_DATASET / "train.json").read_text(encoding="utf-8"))
    texts = [[turn["value"] for turn in sample["conversations"]] for sample in samples]
    with (folder / "train.json").open("w", encoding="utf-8") as file:
        file.write("[\n")
        for row in range(rows):
            question, answer = texts[row % len(texts)]
            turns = [{"from": "human", "value": f"{question}，第{row}条"}, {"from": "gpt", "value": answer}]
            file.write(json.dumps({"conversations": turns}, ensure_ascii=False))
            file.write(",\n" if row < rows - 1 else "\n]\n")
    info = {"train": {"file_name": "train.json", **canonical_blocks()}}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return folder


def measure(folder: Path, rows: int, repeat: int) -> dict[str, Cost]:
    """Measure the best of `repeat` runs of each way, interleaved, so that a busy machine hits all."""
    ways: dict[str, Callable[[], Cost]] = {
        "their converter": lambda: load(folder, rows, None),
        "their get_dataset": lambda: load(folder, rows, BUNDLED_MODEL),
        "check": lambda: check(folder, rows),
    }
    costs: dict[str, list[Cost]] = {what: [] for what in ways}
    for _ in range(repeat):
        for what, way in ways.items():
            costs[what].append(way())
    return {what: min(found, key=lambda cost: cost.seconds) for what, found in costs.items()}


def load(folder: Path, rows: int, tokenizer: Path | None) -> Cost:
    """Time LLaMA-Factory's own loading, with tokenizing where a tokenizer is given."""
    request: dict[str, Any] = {"action": "count", "folder": str(folder), "dataset": "train"}
    if tokenizer is not None:
        request["tokenizer"] = str(tokenizer)
    done = subprocess.run(
        [THEIR_PYTHON, ROOT / "tests" / "conformance" / "llamafactory_side.py"],
        input=json.dumps(request), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
    )  # fmt: skip
    answer = json.loads(done.stdout)
    assert answer.get("rows") == rows, answer
    return Cost(seconds=answer["seconds"], peak_mib=answer["peak_mib"])


def check(folder: Path, rows: int) -> Cost:
    """Time `news-studio check` of the folder, from the start of the command to its end."""
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
        assert json.load(output)["rows"] == rows
    return Cost(seconds=seconds, peak_mib=usage.ru_maxrss / 1024)


def show(rows: int, costs: dict[str, Cost]) -> None:
    ours = costs["check"].seconds
    for what, cost in costs.items():
        ratio = "" if what == "check" else f"{cost.seconds / ours:.2f} x as fast"
        report(
            f"{rows}",
            what,
            f"{cost.seconds:.2f}",
            f"{rows / cost.seconds:.0f}",
            f"{cost.peak_mib:.0f}",
            ratio,
        )


def report(*cells: str) -> None:
    widths = (9, 28, 9, 9, 7, 18)
    sys.stdout.write("  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
