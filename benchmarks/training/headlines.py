"""Score a tuned run on labelled headlines of your own, directly and through the chain.

    python -m benchmarks.training.headlines RUN_FOLDER HEADLINES.tsv [--limit N]

HEADLINES.tsv has a title and a category a line, separated by a tab. Prints accuracy
over all rows and the mean of the ten recalls (what evenly spread headlines would
give), the share of chains that parse, and the TF-IDF baseline trained on the run's rows.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import torch

from backend.data import rows
from backend.data.templates import Renderer
from backend.engine.answering import Answerer
from backend.modeling.loading import load_model, on_device
from backend.modeling.tokenizers import load_tokenizer
from studio.contract import TrainSpec, run_spec
from studio.evaluation.baselines import tfidf_predictions
from studio.samples.canonical import exact_category, read_answer, read_question
from studio.samples.scheme import load_scheme


def main() -> None:
    """Load, answer, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("headlines", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    scheme = load_scheme()
    pairs = [line.split("\t")[:2] for line in options.headlines.read_text(encoding="utf-8").splitlines()][
        : options.limit
    ]
    titles, labels = [p[0] for p in pairs], [p[1] for p in pairs]

    spec = run_spec.validate_json((options.run / "spec.json").read_bytes())
    assert isinstance(spec, TrainSpec)
    checkpoint = sorted((options.run / "checkpoints").glob("step_*"))[-1]
    lora = spec.finetuning_type == "lora"
    model = load_model(spec.model_name_or_path if lora else checkpoint, checkpoint if lora else None)
    answerer = Answerer(on_device(model), Renderer(load_tokenizer(checkpoint), spec.template))

    direct: list[str | None] = []
    chain: list[str | None] = []
    for start in range(0, len(titles), options.batch):
        prompts = answerer.render_prompts(titles[start : start + options.batch], scheme.prompt)
        direct += [max(p, key=lambda name: p[name]) for p in answerer.score(prompts, scheme.names)]
        written = answerer.generate(prompts, max_new_tokens=256)
        chain += [exact_category(read_answer(w.text).label, scheme.names) for w in written]
    train = []
    for messages in rows.read_conversations(spec.dataset_dir, spec.dataset):
        category = exact_category(read_answer(messages[-1]["content"]).label, scheme.names)
        if category:
            train.append((read_question(messages[0]["content"], scheme.prompt)[0], category))
    tfidf = tfidf_predictions(train, titles)
    parsed = fmean(answer is not None for answer in chain)
    print(
        json.dumps(
            {
                "n": len(titles),
                "direct": rates(direct, labels),
                "chain": rates(chain, labels),
                "tfidf": rates(list(tfidf), labels),
                "parsed": round(100 * parsed, 1),
                "same_answer": round(100 * fmean(a == b for a, b in zip(direct, chain, strict=True)), 1),
                "device": str(answerer.model.device),
                "torch": torch.__version__,
            }
        )
    )


def rates(predicted: list[str | None], labels: list[str]) -> list[float]:
    """Accuracy and mean recall, in percent."""
    hits = defaultdict(list)
    for guess, label in zip(predicted, labels, strict=True):
        hits[label].append(guess == label)
    return [
        round(100 * fmean(hit for row in hits.values() for hit in row), 1),
        round(100 * fmean(fmean(row) for row in hits.values()), 1),
    ]


if __name__ == "__main__":
    main()
