"""The engine on a CPU beside transformers' `generate`: tokens a CPU second, and whether they are the same.

    python -m benchmarks.engine.on_cpu [--titles 300] [--timed 100] [--rounds 3]

One thread, the bundled model with the recorded adapter. First the training titles are answered by
both, greedily and without any constraint: every token has to be the same, alone, in another order
and beside other titles too. Then chains are written to the evaluation titles in turn by the engine,
by the engine as evaluations use it (penalty, thoughts closed, quotations held to the title), and by
`generate` in batches of 64; CPU seconds, since wall time is anybody's on a shared machine.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from backend.data.labelled_rows import labelled_rows
from backend.data.templates import Renderer
from backend.engine.answering import Answerer, marks
from backend.engine.engine import Engine
from backend.engine.local import LocalAnswering
from backend.engine.requests import Decoding, Request
from backend.modeling.loading import load_model
from backend.modeling.tokenizers import load_tokenizer
from studio.samples.scheme import load_scheme
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL, SAMPLE_RUN

Tokens = list[list[int]]


def main() -> None:
    """Compare, time, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--titles", type=int, default=300, help="Training titles whose tokens are compared.")
    parser.add_argument("--new", type=int, default=48, help="New tokens in the comparison.")
    parser.add_argument("--timed", type=int, default=100, help="Evaluation titles that are timed.")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    adapter = sorted((SAMPLE_RUN / "checkpoints").iterdir())[-1]
    model = load_model(BUNDLED_MODEL, adapter)
    answerer = Answerer(model, Renderer(load_tokenizer(adapter, BUNDLED_MODEL)), slots=128)
    compare(answerer, titles_of("train", options.titles), options.new)
    measure(answerer, titles_of("eval", options.timed), options.rounds)


def titles_of(entry: str, count: int) -> list[str]:
    """Read the titles of an entry of the bundled dataset."""
    rows, _ = labelled_rows(BUNDLED_DATASET, entry, load_scheme())
    return [row.title for row in rows[:count]]


def compare(answerer: Answerer, titles: Sequence[str], new: int) -> None:
    """Count the answers whose tokens, and the titles whose category, are those of plain computation."""
    prompts = answerer.render_prompts(titles, load_scheme().prompt)
    ids = [list(answerer.request(prompt).prompt) for prompt in prompts]
    plain = by_generate(answerer, ids, new, repetition_penalty=1.0)
    order = list(range(len(ids)))
    random.Random(0).shuffle(order)
    ways = {
        "together, 128 rows": by_engine(answerer, ids, new, slots=128),
        "in another order, 37 rows": unshuffled(
            by_engine(answerer, [ids[i] for i in order], new, slots=37), order
        ),
        "each alone (every 10th)": by_engine(answerer, ids[::10], new, slots=1),
    }
    for name, answers in ways.items():
        wanted = plain[::10] if len(answers) < len(plain) else plain
        same = sum(a == b for a, b in zip(answers, wanted, strict=True))
        print(f"tokens as by generate, {name}: {same} of {len(answers)}")
    scheme = load_scheme()
    together = answerer.score(prompts, scheme.names)
    alone = [answerer.score([prompt], scheme.names)[0] for prompt in prompts]
    same = sum(
        max(a, key=lambda n: a[n]) == max(b, key=lambda n: b[n]) for a, b in zip(together, alone, strict=True)
    )
    off = max(abs(a[name] - b[name]) for a, b in zip(together, alone, strict=True) for name in scheme.names)
    print(f"direct category together and alone: {same} of {len(alone)}, probabilities within {off:.1e}")


def by_engine(answerer: Answerer, prompts: Tokens, new: int, *, slots: int) -> Tokens:
    """Answer greedily by an engine of its own, without penalty and without closing a thought."""
    decoding = Decoding(max_new_tokens=new, thinks=False)
    engine = Engine(answerer.model, answerer.tokenizer, marks(answerer.renderer), slots=slots)
    found = dict(engine.run([Request(prompt=prompt, decoding=decoding) for prompt in prompts]))
    return [list(found[index].ids) for index in range(len(prompts))]


def unshuffled(answers: Tokens, order: Sequence[int]) -> Tokens:
    """Put answers back in their order."""
    back = dict(zip(order, answers, strict=True))
    return [back[index] for index in range(len(order))]


@torch.inference_mode()
def by_generate(answerer: Answerer, prompts: Tokens, new: int, **others: Any) -> Tokens:
    """Answer greedily by transformers' generate, in padded batches of 64."""
    model: Any = answerer.model
    end = list(marks(answerer.renderer).end)
    found = []
    for start in range(0, len(prompts), 64):
        batch = prompts[start : start + 64]
        width = max(map(len, batch))
        ids = torch.tensor([[0] * (width - len(row)) + row for row in batch])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in batch])
        out = model.generate(
            ids, attention_mask=mask, max_new_tokens=new, do_sample=False, eos_token_id=end,
            pad_token_id=answerer.tokenizer.pad_token_id, **others,
        )[:, width:].tolist()  # fmt: skip
        for row in out:
            place = next((place for place, token in enumerate(row) if token in end), len(row))
            found.append(row[:place])
    return found


def measure(answerer: Answerer, titles: Sequence[str], rounds: int) -> None:
    """Time the ways in turn; print the median of tokens a CPU second, and the ratio to generate."""
    scheme = load_scheme()
    prompts = answerer.render_prompts(titles, scheme.prompt)
    ids = [list(answerer.request(prompt).prompt) for prompt in prompts]

    def in_evaluations(quotes: bool) -> int:
        local = LocalAnswering(
            answerer.model,
            answerer.renderer,
            scheme,
            max_new_tokens=256,
            batch_size=128,
            quotes_from_title=quotes,
        )
        return sum(written.tokens for _, written in local.answer(titles))

    ways: dict[str, Callable[[], int]] = {
        "engine, greedy, 128 tokens": lambda: sum(map(len, by_engine(answerer, ids, 128, slots=128))),
        "generate, the same": lambda: sum(map(len, by_generate(answerer, ids, 128, repetition_penalty=1.0))),
        "engine, penalty, thoughts closed": lambda: in_evaluations(False),
        "engine, as evaluations use it": lambda: in_evaluations(True),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.process_time()
            tokens = way()
            rates[name].append(tokens / (time.process_time() - began))
    base = statistics.median(rates["generate, the same"])
    for name, found in rates.items():
        rate = statistics.median(found)
        print(f"{name:36} {rate:7.0f} tokens a CPU second, {rate / base:.2f} of generate")


if __name__ == "__main__":
    main()
