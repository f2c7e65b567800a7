"""Choose settings without the evaluation rows: k-fold cross-validation over the bundled training rows.

    python -m benchmarks.training.cross_validate OUT [--seeds 42 43 44] [--folds 5] [--at-once 1]
        [--set key=value ...]

Each fold is answered, directly, through the chain, and through a chain whose quotations are held to
the title, by a model trained on the others with the sound default and the given changes. Prints
accuracy over all folds for each seed, the share of chains that parse, how many ran into their
limit, and how many quotations are in the title. Uses a GPU where there is one.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import yaml

from studio.contract import TrainSpec, run_spec
from studio.samples.canonical import read_answer
from studio.training.presets import sound_default
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL

if TYPE_CHECKING:
    from backend.engine.titles import Written

Row = dict[str, Any]


def main() -> None:
    """Write the runs, train and answer them, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=1, help="Runs trained at the same time.")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument(
        "--answer", action="store_true", help="Answer the fold of the run OUT (used by itself)."
    )
    options = parser.parse_args()
    if options.answer:
        answer_fold(options.out)
        return
    changes = {key: yaml.safe_load(value) for key, _, value in (s.partition("=") for s in options.settings)}
    runs = list(write_runs(options.out, options.seeds, options.folds, changes))
    with ThreadPoolExecutor(options.at_once) as pool:
        list(pool.map(train_and_answer, runs))
    print_table(runs, options.seeds)


def write_runs(out: Path, seeds: list[int], folds: int, changes: Mapping[str, Any]) -> Iterator[Path]:
    """Prepare a run folder for each seed and fold; the folds hold every category alike."""
    rows: list[Row] = json.loads((BUNDLED_DATASET / "train.json").read_text(encoding="utf-8"))
    info = (BUNDLED_DATASET / "dataset_info.json").read_text(encoding="utf-8")
    by_category = sorted(rows, key=lambda row: str(read_answer(row["conversations"][-1]["value"]).label))
    for fold in range(folds):
        data = (out / f"fold_{fold}").resolve()
        data.mkdir(parents=True)
        held_out = by_category[fold::folds]
        train = [row for row in rows if row not in held_out]
        for name, part in (("train", train), ("eval", held_out)):
            (data / f"{name}.json").write_text(json.dumps(part, ensure_ascii=False), encoding="utf-8")
        (data / "dataset_info.json").write_text(info, encoding="utf-8")
        settings: dict[str, Any] = {
            **sound_default(BUNDLED_MODEL, data).model_dump(),
            **changes,
            "evaluate_after": (),
        }
        for seed in seeds:
            run = out.resolve() / f"run_{seed}_{fold}"
            run.mkdir()
            text = TrainSpec.model_validate({**settings, "seed": seed}).model_dump_json(indent=2)
            (run / "spec.json").write_text(text, encoding="utf-8")
            yield run


def train_and_answer(run: Path) -> None:
    """Both in processes of their own, so that several runs go on at once."""
    for command in (
        ["-m", "backend.train", str(run)],
        ["-m", "benchmarks.training.cross_validate", "--answer", str(run)],
    ):
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr[-2000:])


def answer_fold(run: Path) -> None:
    """Answer the held-out rows of one run; writes answers.json."""
    import torch

    from backend.data.labelled_rows import labelled_rows
    from backend.data.templates import Renderer
    from backend.engine.answering import Answerer, generated
    from backend.engine.quotation import quotations
    from backend.modeling.loading import load_model, on_device
    from backend.modeling.tokenizers import load_tokenizer
    from studio.samples.canonical import exact_category
    from studio.samples.scheme import load_scheme

    spec = run_spec.validate_json((run / "spec.json").read_bytes())
    assert isinstance(spec, TrainSpec)
    scheme = load_scheme()
    checkpoint = sorted((run / "checkpoints").glob("step_*"))[-1]
    lora = spec.finetuning_type == "lora"
    model = on_device(
        load_model(spec.model_name_or_path if lora else checkpoint, checkpoint if lora else None)
    )
    answerer = Answerer(model, Renderer(load_tokenizer(checkpoint), spec.template))
    rows, _ = labelled_rows(spec.dataset_dir, "eval", scheme)
    titles = [row.title for row in rows]
    prompts = answerer.render_prompts(titles, scheme.prompt)
    with torch.inference_mode():
        written = answerer.generate(prompts, max_new_tokens=spec.max_new_tokens)
        scored = answerer.score(prompts, scheme.names)
        held = answerer.title_requests(
            titles, scheme.prompt, answerer.decoding(spec.max_new_tokens), quotes_from_title=True
        )
        answers = dict(answerer.engine.run(held))
        quoting = [generated(answers[index]) for index in range(len(rows))]

    def categories(written: Sequence["Written"]) -> list[str | None]:
        return [
            exact_category(read_answer(w.text).label, scheme.names) if w.finished else None for w in written
        ]

    chains, held_chains = categories(written), categories(quoting)
    direct = [max(p, key=lambda name: p[name]) for p in scored]
    document = {
        "direct": [d == row.category for d, row in zip(direct, rows, strict=True)],
        "chain": [c == row.category for c, row in zip(chains, rows, strict=True)],
        "held": [c == row.category for c, row in zip(held_chains, rows, strict=True)],
        "parsed": [c is not None for c in chains],
        "forced": [w.forced for w in written],
        "texts": [w.text for w in written],
        "held_texts": [w.text for w in quoting],
        "quotations": quotations([w.text for w in written], titles),
        "held_quotations": quotations([w.text for w in quoting], titles),
    }
    (run / "answers.json").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


def print_table(runs: list[Path], seeds: list[int]) -> None:
    """Rates in percent over all folds, a line a seed and one for all."""
    answers = {run: json.loads((run / "answers.json").read_text(encoding="utf-8")) for run in runs}
    names = ("direct", "chain", "held", "parsed", "forced")
    print(f"{'seed':>6}" + "".join(f"{name:>9}" for name in names))
    for seed in [*seeds, None]:
        chosen = [a for run, a in answers.items() if seed is None or run.name.startswith(f"run_{seed}_")]
        rates = (100 * fmean(value for a in chosen for value in a[name]) for name in names)
        print(f"{seed or 'all':>6}" + "".join(f"{rate:9.1f}" for rate in rates))
    for name, words in (("quotations", "free"), ("held_quotations", "held to the title")):
        kept, total = (sum(answer[name][place] for answer in answers.values()) for place in (0, 1))
        print(f"quotations in the title, {words}: {kept} of {total}")


if __name__ == "__main__":
    main()
