"""A scripted day of decisions, the pairs that it makes, a short training on them, the paired verdict.

    python -m benchmarks.training.preference_day --home /scratch/day [--stage dpo] [--set key=value ...]

Bundled titles are decided as people decide: a dispute, a correction and an edited chain, each by three
decisions, and a reported answer by two. The wrong answers are those of the category that is most easily
confused, with the chain of another title. The training starts from the recorded sample run, whose held-out
rows it is compared on. What is printed is what `news-studio train` prints.
"""

import argparse
import json
import time
from contextlib import closing
from pathlib import Path

from studio.evaluation.against_start import against_start, conclusion
from studio.operations.waiting import train_and_wait
from studio.preferences.freezing import freeze_pairs
from studio.preferences.selection import select
from studio.runs import get_run, trained_model
from studio.samples.canonical import read_answer, read_question
from studio.samples.scheme import Scheme, load_scheme
from studio.store import open_store
from studio.training.spec_loading import build_train_spec
from studio.workspace import BUNDLED_DATASET, SAMPLE_RUN, Workspace, open_workspace
from tests.support.preference_day import DayTitle, work_a_day

NAME = "day"


def main() -> None:
    """Work the day, freeze, train, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True, help="A new workspace.")
    parser.add_argument("--titles", type=int, default=72, help="Titles; 72 take about 200 decisions.")
    parser.add_argument("--stage", default="dpo", choices=("dpo", "kto", "orpo"))
    parser.add_argument("--set", dest="settings", action="append", default=[], help="As of `train`.")
    options = parser.parse_args()
    workspace, scheme = open_workspace(options.home), load_scheme()
    print(f"{_freeze(workspace, scheme, options.titles)}", flush=True)
    _train(workspace, options.stage, options.settings)


def _freeze(workspace: Workspace, scheme: Scheme, count: int) -> str:
    with closing(open_store(workspace.database)) as db:
        started = time.monotonic()
        decisions = work_a_day(db, day_titles(scheme, count), scheme)
        found = select(db, workspace)
        version = freeze_pairs(db, workspace, NAME, found, author="zhao", scheme=scheme)
    seconds = time.monotonic() - started
    return f"{decisions} decisions, {version.pairs} pairs {found.by_kind}, {seconds:.1f} s: {version.ref}"


def day_titles(scheme: Scheme, count: int) -> list[DayTitle]:
    """Take bundled training titles, each with a wrong answer of a category that is confused with its own."""
    rows = json.loads((BUNDLED_DATASET / "train.json").read_text(encoding="utf-8"))
    read = [
        (read_question(asked["value"], scheme.prompt)[0], read_answer(answered["value"]))
        for asked, answered in (row["conversations"] for row in rows)
    ]
    chains = {answer.label: answer.chain or "" for _, answer in read}
    confused = {name: other for pair in scheme.rules for name, other in (sorted(pair), sorted(pair)[::-1])}
    titles = []
    for text, answer in read[:count]:
        wrong = confused.get(answer.label) or next(name for name in scheme.names if name != answer.label)
        titles.append(DayTitle(text, answer.label, answer.chain or "", wrong, chains[wrong]))
    return titles


def _train(workspace: Workspace, stage: str, settings: list[str]) -> None:
    _, adapter = trained_model(get_run(workspace, SAMPLE_RUN.name))
    # Fewer than a hundred pairs on purpose: a day makes no more.
    given = [f"stage={stage}", f"adapter_name_or_path={adapter}", "allow_few_pairs=true", *settings]
    spec, version = build_train_spec(workspace, None, NAME, None, given)
    started = time.monotonic()
    run = train_and_wait(workspace, spec, version=version)
    print(f"{stage} rate {spec.learning_rate:g}, {spec.num_train_epochs:g} epochs, beta {spec.pref_beta:g}")
    for each in (found := against_start(run)):
        comparison = each.comparison
        print(
            f"{each.answer:<7} {comparison.a.accuracy:.1%} -> {comparison.b.accuracy:.1%}"
            f"  fixed {comparison.fixed}, broken {comparison.broken}, p {comparison.p_value:.2f}"
            f"\n        {comparison.verdict.sentence}"
        )
    print(conclusion(found))
    print(
        f"{time.monotonic() - started:.0f} s, peak {run.result.peak_memory_gib if run.result else 0:.2f} GiB"
    )


if __name__ == "__main__":
    main()
