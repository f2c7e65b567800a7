"""Measure what an import costs, and how it grows: the search for near duplicates, and whole imports.

    python -m benchmarks.data.import_speed [--titles 10000 100000 1000000]

Each size runs in a subprocess, so that its peak memory is its own.
"""

import argparse
import gc
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from studio.ingest.importer import ImportReport, import_path, import_text
from studio.samples.scheme import load_scheme
from studio.samples.similarity import group_near
from studio.store import open_store
from studio.workspace import open_workspace

SCHEME = load_scheme()
SIZES = (10_000, 100_000, 1_000_000)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--titles", type=int, nargs="+", default=SIZES)
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=list(PARTS))
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(PARTS[arguments.part](arguments.titles[0])))
        return
    for part in arguments.parts:
        before = 0.0
        for count in arguments.titles:
            found = in_own_process(part, count)
            seconds, peak = found.pop("seconds"), found.pop("peak_mib")
            growth = f"x{seconds / before:.1f}" if before else ""
            print(f"{part:14s} {count:9d}  {seconds:7.2f} s {growth:6s} {peak:6.0f} MiB  {found}", flush=True)
            before = seconds


def in_own_process(part: str, count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.data.import_speed", "--part", part, "--titles", str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def invented_titles(count: int) -> list[str]:
    """Generate titles of 6 to 34 characters, words with a Zipf distribution; 1 in 20 is an edited copy."""
    draw = random.Random(3)
    words = [
        "".join(chr(draw.randint(0x4E00, 0x6500)) for _ in range(draw.choice((1, 2, 2, 3))))
        for _ in range(30_000)
    ]
    weights = [1 / (rank + 10) for rank in range(len(words))]
    drawn = iter(draw.choices(words, weights, k=count * 14))
    titles: list[str] = []
    for _ in range(count):
        if titles and draw.random() < 0.05:
            copied = draw.choice(titles)
            titles.append(copied[:3] + draw.choice(words) + copied[5:])
        else:
            titles.append("".join(next(drawn) for _ in range(draw.randint(6, 14))))
    return titles


def measured(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Measure wall time, processor time in seconds and peak memory of the work; returns its result too."""
    began, busy = time.perf_counter(), time.process_time()
    found = work()
    seconds, found["cpu_s"] = time.perf_counter() - began, round(time.process_time() - busy, 2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mib": peak, **found}


def near_duplicates(count: int) -> dict[str, Any]:
    titles = invented_titles(count)
    return measured(lambda: {"groups": len(group_near(titles))})


def one_formula(count: int) -> dict[str, Any]:
    """Measure the worst case: every title is near thousands of others."""
    titles = [f"第{number}条新闻标题" for number in range(count)]
    return measured(lambda: {"groups": len(group_near(titles))})


def importing(suffix: str) -> Callable[[int], dict[str, Any]]:
    """Measure an import into an empty workspace, then a small one into the workspace that is full by then."""

    def part(count: int) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"titles{suffix}"
            write_titles(path, invented_titles(count))
            gc.collect()
            workspace = open_workspace(Path(folder) / "home")
            with closing(open_store(workspace.database)) as db:
                found = measured(lambda: reported(import_path(db, path, SCHEME)))
                small = measured(lambda: reported(import_text(db, "一条全新的标题\n另一条", SCHEME)))
                return {**found, "then_2_titles_s": round(small["seconds"], 2)}

    return part


def write_titles(path: Path, titles: list[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        if path.suffix == ".json":
            json.dump([{"title": title} for title in titles], file, ensure_ascii=False)
        elif path.suffix == ".jsonl":
            file.writelines(json.dumps({"title": title}, ensure_ascii=False) + "\n" for title in titles)
        else:
            file.writelines(f"{title}\n" for title in titles)


def reported(report: ImportReport) -> dict[str, Any]:
    return {"added": report.added, "merged": report.merged, "near": report.near}


PARTS: dict[str, Callable[[int], dict[str, Any]]] = {
    "near repeats": near_duplicates,
    "one formula": one_formula,
    "import txt": importing(".txt"),
    "import jsonl": importing(".jsonl"),
    "import json": importing(".json"),
}

if __name__ == "__main__":
    main()
