"""A sheet of many titles through the queue, its worker killed in the middle: no row twice, none missing.

    python -m benchmarks.app.classify_sheet [--rows 100000] [--answer direct] [--kill 0.5]

Titles are halves of bundled ones put together anew; one row in 50 repeats an earlier title, one in 500 has
none. The worker gets SIGKILL, and half a line is put behind its answers; the job is resumed. Prints titles a
CPU second of the worker (start-up included, from /proc), its peak memory, the seconds that reading the
sheet and writing the file took; fails where a row is missing, there twice, or answered otherwise than before.
"""

import argparse
import csv
import json
import os
import random
import signal
import tempfile
import time
from pathlib import Path

from studio import runs
from studio.classification.jobs import classify_spec, start
from studio.classification.results import load_classified, summarize
from studio.classification.writing import file_name, write_classified
from studio.contract import AnswerMode
from studio.jobs import queue
from studio.runs import Job
from studio.samples.canonical import read_question
from studio.samples.scheme import load_scheme
from studio.system.processes import signal_worker
from studio.team.rights import as_owner
from studio.workspace import BUNDLED_DATASET, Workspace, open_workspace

SAMPLE_RUN = "sample_run"


def main() -> None:
    """Make a sheet, classify it, kill, resume, check, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--answer", choices=("direct", "chain"), default="direct")
    parser.add_argument("--kill", type=float, default=0.5, help="Share of the titles before the kill.")
    parser.add_argument("--model", default=SAMPLE_RUN, help="Run or base model.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="news-studio-") as folder, as_owner():
        path = Path(folder) / "titles.csv"
        make_sheet(path, options.rows)
        measure(open_workspace(Path(folder) / "home"), path, options.model, options.answer, options.kill)


def make_sheet(path: Path, rows: int) -> None:
    """Write a sheet of titles that nobody wrote."""
    scheme, chooser = load_scheme(), random.Random(1)
    known = [
        read_question(row["conversations"][0]["value"], scheme.prompt)[0]
        for name in ("train", "eval")
        for row in json.loads((BUNDLED_DATASET / f"{name}.json").read_text(encoding="utf-8"))
    ]
    made: list[str] = []
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["编号", "标题"])
        for number in range(rows):
            one, other = chooser.sample(known, 2)
            title = one[: len(one) // 2] + other[len(other) // 2 :] + str(number)
            if number % 500 == 7:
                title = ""
            elif number % 50 == 3 and made:
                title = chooser.choice(made)
            made += [title] if title else []
            writer.writerow([number, title])


def measure(workspace: Workspace, path: Path, model: str, answer: AnswerMode, kill: float) -> None:
    """Classify the sheet with one kill, and check what came out."""
    began = time.perf_counter()
    job = start(workspace, path, classify_spec(workspace, model, answer=answer), load_scheme())
    print(f"reading and queuing {time.perf_counter() - began:.1f} s", flush=True)
    titles = load_classified(job).sheet.titles
    cpu = watch(workspace, job, until=int(kill * titles))
    signal_worker(job.folder, signal.SIGKILL)
    while (job := runs.get_job(workspace, job.id)).state != "lost":
        time.sleep(0.05)
    answers = job.folder / "answers.jsonl"
    before = answers.read_bytes().rpartition(b"\n")[0]
    with answers.open("ab") as file:
        file.write(b'{"title":3,"catego')
    done = before.count(b"\n") + 1
    print(f"killed with {done:,} of {titles:,} titles answered", flush=True)
    queue.resume(workspace, job.id)
    cpu += watch(workspace, job, until=titles + 1)
    job = runs.get_job(workspace, job.id)
    runs.require_done(job)
    assert job.result is not None
    print(f"{titles:,} titles, {cpu:,.0f} CPU s of both workers, {titles / cpu:,.0f} titles a CPU second")
    print(f"peak memory of the second worker {job.result.peak_memory_gib:.2f} GiB")
    assert answers.read_bytes().startswith(before), "an answer of before the kill changed"
    check(job, path, titles)


def watch(workspace: Workspace, job: Job, *, until: int) -> float:
    """Wait until the job has so many answers or is over; return the CPU seconds of its worker."""
    answers, cpu = job.folder / "answers.jsonl", 0.0
    while True:
        queue.ensure_job_process(workspace)
        cpu = max(cpu, cpu_seconds(job.folder / "alive"))
        done = answers.read_bytes().count(b"\n") if answers.exists() else 0
        if done >= until or (runs.get_job(workspace, job.id).is_over and cpu):
            return cpu
        time.sleep(0.5)


def cpu_seconds(alive: Path) -> float:
    """Read the CPU time that a worker has taken so far; 0 where there is none."""
    try:
        fields = Path(f"/proc/{int(alive.read_text())}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check(job: Job, path: Path, titles: int) -> None:
    """Check that every row is there once, with its answer, and that the file is the sheet."""
    lines = (job.folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    numbers = sorted(json.loads(line)["title"] for line in lines)
    assert numbers == list(range(titles)), "a title is missing or there twice"
    classified = load_classified(job)
    summary = summarize(classified)
    assert summary.outcomes["open"] == summary.outcomes["unparsed"] == 0, summary
    began = time.perf_counter()
    out = path.with_name(file_name(job))
    write_classified(job, out)
    print(f"writing {time.perf_counter() - began:.1f} s")
    with path.open(encoding="utf-8", newline="") as file, out.open(encoding="utf-8", newline="") as after:
        pairs = list(zip(csv.reader(file), csv.reader(after), strict=True))
    assert all(new[: len(old)] == old for old, new in pairs)
    assert all(bool(new[2]) == bool(old[1]) for old, new in pairs[1:])
    blank = summary.outcomes["error"]
    print(f"{len(pairs) - 1:,} rows as they were, each answered once; {blank:,} without a title")


if __name__ == "__main__":
    main()
