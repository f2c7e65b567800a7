"""Time a comparison of two runs with 100,000 predictions each, and its memory.

    python -m benchmarks.evaluation.compare_speed [--rows 100000] [--page]

Each part runs in a fresh process, as the first click after a start does. Without --page: loading and
comparing alone. With it, the Compare page as Streamlit runs it, from the address to its last element; the
memory is that of the process, Streamlit included. Seconds of CPU are what other work on the machine
does not lengthen. One title in five is a near duplicate of another.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import studio
from studio import runs
from studio.contract import EvaluateSpec, Prediction, Result, ScoreFile
from studio.evaluation.scores import score
from studio.samples.scheme import load_scheme
from studio.workspace import BUNDLED_DATASET, Workspace, open_workspace

APP = Path(studio.__file__).parent / "app.py"
CHAIN = "先看标题，“{word}”说的是一件事，再看是谁做的、对谁有影响；它不是国际，也不是社会，归到{label}。" * 2


def make_run(workspace: Workspace, titles: list[str], rate: float, seed: int) -> str:
    rng = random.Random(seed)
    names = load_scheme().names
    spec = EvaluateSpec(model_name_or_path=Path("/models/none"), dataset_dir=BUNDLED_DATASET)
    run = runs.prepare_run(workspace, spec, label=f"model {seed}")
    predictions = []
    for row, title in enumerate(titles):
        label = names[row % 10]
        said = label if rng.random() < rate else rng.choice(names)
        chain = CHAIN.format(word=title[:4], label=said)
        predictions.append(
            Prediction(
                row=row,
                title=title,
                label=label,
                label_chain=chain,
                answer="chain",
                predicted=said,
                chain=chain,
                text=f"<think>\n{chain}\n</think>\n\n{said}",
                tokens=80,
            )
        )
    with (run.folder / "predictions.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(each.model_dump_json() + "\n" for each in predictions)
    direct = [each.model_copy(update={"answer": "direct"}) for each in predictions]
    scores = score(direct, names, answer="direct", seconds=1).model_copy(update={"answer": "chain"})
    file_of = ScoreFile(evaluations={"chain": scores})
    (run.folder / "scores.json").write_text(file_of.model_dump_json(by_alias=True), encoding="utf-8")
    result = Result(status="done", seconds=1, peak_memory_gib=1)
    (run.folder / "result.json").write_text(result.model_dump_json(), encoding="utf-8")
    return run.id


def make_titles(count: int) -> list[str]:
    rng = random.Random(1)
    characters = "".join(
        "".join(turn["value"].split())
        for row in json.loads((BUNDLED_DATASET / "train.json").read_text("utf-8"))
        for turn in row["conversations"]
    )
    titles: list[str] = []
    while len(titles) < count:
        title = "".join(rng.choice(characters) for _ in range(rng.randint(14, 28)))
        titles += [title] if rng.random() < 0.9 else [title, f"{title}{rng.choice(characters)}"]
    return titles[:count]


def memory() -> float:
    """Read the peak of this process in MiB; getrusage includes its parent's."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def parse_alone(a: str, b: str) -> None:
    """Parse every line of both files with the standard library: the baseline."""
    started, worked = time.perf_counter(), time.process_time()
    for run in (a, b):
        with (open_workspace().runs / run / "predictions.jsonl").open("rb") as file:
            for line in file:
                json.loads(line)
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    print(f"baseline, json.loads of every line: {seconds:.2f} s ({cpu:.2f} s of CPU)")


def compare_alone(a: str, b: str) -> None:
    from studio.evaluation.compared import compare_entries
    from studio.evaluation.entries import find_entries

    before = memory()
    started, worked = time.perf_counter(), time.process_time()
    found = compare_entries(find_entries(open_workspace(), [a, b]))
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    print(f"compare: {seconds:.2f} s ({cpu:.2f} s of CPU), {memory():.0f} MiB (before: {before:.0f})")
    print(found.comparisons[0].verdict.sentence)


def compare_on_page(a: str, b: str) -> None:
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(APP), default_timeout=120)
    app.query_params["annotator"] = "benchmark"
    app.run()
    before = memory()
    for number in ("first", "second"):
        app.query_params["a"] = f"{a}:chain"
        app.query_params["b"] = f"{b}:chain"
        started, worked = time.perf_counter(), time.process_time()
        app.switch_page("../pages/compare.py").run()
        seconds, cpu = time.perf_counter() - started, time.process_time() - worked
        assert not app.exception, app.exception
        print(
            f"page, {number}: {seconds:.2f} s ({cpu:.2f} s of CPU), {memory():.0f} MiB"
            f" (home page alone: {before:.0f})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--child", nargs=3, default=None)
    arguments = parser.parse_args()
    if arguments.child:
        part, a, b = arguments.child
        {"page": compare_on_page, "alone": compare_alone, "parse": parse_alone}[part](a, b)
        return
    with tempfile.TemporaryDirectory() as folder:
        workspace = open_workspace(Path(folder))
        titles = make_titles(arguments.rows)
        a, b = (make_run(workspace, titles, rate, seed) for rate, seed in ((0.78, 1), (0.79, 2)))
        size = (workspace.runs / a / "predictions.jsonl").stat().st_size
        print(f"{arguments.rows} predictions each, {size / 2**20:.0f} MiB a file")
        for part in ["parse", "alone", "page"] if arguments.page else ["parse", "alone"]:
            command = [sys.executable, "-m", __spec__.name, "--child", part, a, b]
            subprocess.run(command, check=True, env={**os.environ, "STUDIO_HOME": folder})


if __name__ == "__main__":
    main()
