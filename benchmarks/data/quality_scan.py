"""Measure a quality scan and a freeze: seconds and memory, by the number of decided titles.

    python -m benchmarks.data.quality_scan [--titles 10000 100000]

The titles are put together from halves of the bundled ones, with a tenth of near copies
and a twentieth of wrong labels, so that every part of the scan has something to find.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from studio.datasets.versions import freeze
from studio.ingest.importer import import_path
from studio.quality import findings
from studio.samples.canonical import read_answer, write_answer
from studio.samples.scheme import load_scheme
from studio.store import Store, open_store
from studio.workspace import BUNDLED_DATASET, Workspace, open_workspace


def main(argv: Sequence[str] | None = None) -> None:
    """Measure each size in a workspace of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--titles", type=int, nargs="+", default=[10_000, 100_000])
    for count in parser.parse_args(argv).titles:
        with tempfile.TemporaryDirectory() as folder:
            workspace = open_workspace(Path(folder))
            with closing(open_store(workspace.database)) as db:
                measure(db, workspace, count)


def measure(db: Store, workspace: Workspace, count: int) -> None:
    """Fill, scan in a subprocess, freeze, and print the times and the peak memory."""
    source = workspace.home / "titles.json"
    source.write_text(json.dumps(made_up(count), ensure_ascii=False), encoding="utf-8")
    import_path(db, source, load_scheme())
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "studio.quality._scan", str(workspace.home)], check=True)
    scanned = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    started = time.monotonic()
    last = findings.look(db, workspace).last
    assert last is not None
    opened = sum(len(findings.open_findings(db, last, kind)) for kind in last.found)
    shown = time.monotonic() - started
    started = time.monotonic()
    version = freeze(db, workspace, "bench", author="bench", scheme=load_scheme(), accept_warnings=True)
    frozen = time.monotonic() - started
    print(
        f"{last.titles} titles: scan {scanned:.1f} s, {peak:.0f} MiB; page reads it in {1000 * shown:.0f} ms"
        f" ({opened} findings open, found {last.found}); freeze {frozen:.1f} s, {version.rows}"
    )


def made_up(count: int) -> list[dict[str, object]]:
    """Generate labelled titles of the bundled categories, seeded."""
    draw = random.Random(0)
    by_category: dict[str, list[tuple[str, str]]] = {}
    for row in json.loads((BUNDLED_DATASET / "train.json").read_text(encoding="utf-8")):
        question, answer = (turn["value"] for turn in row["conversations"])
        parsed = read_answer(answer)
        by_category.setdefault(parsed.label, []).append((question.partition("：")[2], parsed.chain or ""))
    names = sorted(by_category)
    rows: list[dict[str, object]] = []
    title = ""
    for number in range(count):
        category = draw.choice(names)
        if number % 10 and title:
            (one, chain), (other, _) = draw.choice(by_category[category]), draw.choice(by_category[category])
            filler = chr(0x4E00 + draw.randrange(5000)) + chr(0x4E00 + draw.randrange(5000))
            title = one[: draw.randint(4, len(one))] + filler + other[draw.randint(0, len(other) - 3) :]
        else:
            chain = by_category[category][0][1]
            title = f"{title}！" + chr(0x4E00 + number % 5000)
        label = draw.choice(names) if draw.random() < 0.05 else category
        turns = [
            {"from": "human", "value": f"新闻分类：{title}"},
            {"from": "gpt", "value": write_answer(chain, label)},
        ]
        rows.append({"conversations": turns})
    return rows


if __name__ == "__main__":
    main()
