"""The engine on one GPU beside transformers: 300 prompts of about 30 tokens, 200 new tokens each.

    python -m benchmarks.gpu.answering [--shape 7B] [--prompts 300] [--new 200] [--parts checks,chat]

Random weights of the true shape, bfloat16: speed does not depend on what was learned. First the
decode kernel, the captured steps and the scores are checked against plain forwards in the same
precision; then everything is timed in this one process; a table comes last.
"""

import argparse
import copy
import json
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, GenerationConfig

from backend.engine.engine import Engine
from backend.engine.requests import Decoding, Request
from backend.engine.sampling import Marks
from backend.engine.scoring import ContinuationScorer
from backend.kernels.decode_attention import agrees
from tests.support.model_shapes import SHAPES

NOBODY = Marks(end=(1,), close=(7, 8), mark=(8,))


class Plain:
    """A tokenizer that nobody asks: the answers are compared as tokens."""

    pad_token_id = 2

    def decode(self, ids: Any, **_: Any) -> str:
        """Show the numbers."""
        return " ".join(map(str, ids))


class NeverThree:
    """A constraint that rules out three tokens at every step, as a quotation mostly does."""

    complete = False

    def __init__(self) -> None:
        self._ids = torch.tensor([11, 12, 13])

    def start(self) -> "NeverThree":
        """Start; it has no state."""
        return self

    def allowed(self, inside: bool) -> torch.Tensor | None:
        """Allow any other."""
        return None

    def banned(self, inside: bool) -> torch.Tensor | None:
        """Ban the three."""
        return self._ids

    def push(self, token: int, inside: bool) -> None:
        """Note nothing."""


def main() -> None:
    """Check, time, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", default="7B", choices=SHAPES)
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument("--new", type=int, default=200)
    parser.add_argument("--parts", default="checks,chat,direct,batch,theirs")
    parser.add_argument("--out", type=Path, help="Write the numbers here as JSON too.")
    options = parser.parse_args()
    print(torch.cuda.get_device_name(), torch.__version__, flush=True)
    model = random_model(options.shape)
    prompts = random_prompts(options.prompts, SHAPES[options.shape].vocabulary)
    numbers: dict[str, Any] = {"card": torch.cuda.get_device_name(), "shape": options.shape}
    for part in options.parts.split(","):
        began = time.perf_counter()
        numbers |= PARTS[part](model, prompts, options.new)
        print(f"[{part}: {time.perf_counter() - began:.0f} s]", flush=True)
    print(json.dumps(numbers, indent=1))
    if options.out:
        options.out.write_text(json.dumps(numbers, indent=1))


def random_model(shape: str) -> Any:
    """Random weights, made on the card."""
    torch.manual_seed(0)
    config = SHAPES[shape].config()
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    # So that greedy answers do not all fall into one loop.
    return model.eval().cuda()


def random_prompts(count: int, vocabulary: int) -> list[list[int]]:
    """Prompts that begin alike, as those of all titles do: 12 tokens, then 12 to 24 of their own."""
    chance = random.Random(7)
    shared = [chance.randrange(10, vocabulary) for _ in range(12)]
    return [
        shared + [chance.randrange(10, vocabulary) for _ in range(chance.randint(12, 24))]
        for _ in range(count)
    ]


def requests_for(prompts: list[list[int]], new: int, **others: Any) -> list[Request]:
    """Greedy requests that run to their limit."""
    decoding = Decoding(max_new_tokens=new, thinks=False, **others)
    return [Request(prompt=prompt, decoding=decoding) for prompt in prompts]


def exhaust(engine: Engine, requests: list[Request]) -> None:
    """Answer all requests."""
    for _ in engine.run(requests):
        pass


def seconds(work: Callable[[], Any]) -> float:
    """Time one run to its last kernel."""
    torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def checks(model: Any, prompts: list[list[int]], _: int) -> dict[str, Any]:
    """Compare the kernel, then the steps of the trained bundled model, with plain forwards."""
    config = model.config
    heads, keys = config.num_attention_heads, config.num_key_value_heads
    width = config.hidden_size // heads
    fits = [agrees(heads, keys, width, dtype, model.device) for dtype in (torch.bfloat16, torch.float32)]
    print("kernel agrees, bfloat16 and float32:", fits, flush=True)
    found: dict[str, Any] = {"kernel_agrees": fits, "random": compared(model, prompts[:40], NOBODY)}
    for dtype in (torch.float32, torch.bfloat16):
        trained, questions, marks = bundled(dtype)
        found[f"bundled {dtype}"] = compared(trained, questions, marks, new=120)
    return found


def compared(model: Any, prompts: list[list[int]], marks: Marks, new: int = 24) -> dict[str, Any]:
    """Compare the engine's log probabilities, tokens and scores with those of forwards in float32.

    A plain forward in the model's own precision is compared with the same: what it differs by is rounding.
    """
    exact = model if model.dtype == torch.float32 else copy.deepcopy(model).float()
    engine = Engine(model, Plain(), marks, slots=32)
    requests = requests_for(prompts, new, top_logprobs=1)
    answers = dict(engine.run(requests))
    worst = {"engine": 0.0, "plain": 0.0}
    total = {"engine": 0.0, "plain": 0.0}
    flips, tokens = 0, 0
    for index, prompt in enumerate(prompts):
        ids = [record.token for record in answers[index].logprobs]
        recorded = torch.tensor([record.logprob for record in answers[index].logprobs], device="cuda")
        true = log_probabilities(exact, prompt, ids)
        own = log_probabilities(model, prompt, ids)
        for name, found in (("engine", recorded), ("plain", own.gather(1, column(ids))[:, 0])):
            off = (found - true.gather(1, column(ids))[:, 0]).abs()
            worst[name] = max(worst[name], float(off.max()))
            total[name] += float(off.sum())
        flips += int((own.argmax(-1) != column(ids)[:, 0]).sum())
        tokens += len(ids)
    single = Engine(model, Plain(), marks, slots=1)
    few = requests_for(prompts[:16], new)
    same = sum(answer.ids == answers[index].ids for index, answer in single.run(few))
    tails = continuations(model.config.vocab_size)
    scores = ContinuationScorer(model, tails)(prompts)
    difference = max(
        abs(
            float(log_probabilities(exact, prompts[index], tail).gather(1, column(tail)).sum())
            - float(scores[index, place])
        )
        for index in (0, len(prompts) // 2, len(prompts) - 1)
        for place, tail in enumerate(tails)
    )
    mean = {name: value / tokens for name, value in total.items()}
    print(
        f"{model.dtype}, width {model.config.hidden_size}: log probabilities differ from float32 by "
        f"{mean['engine']:.4f} in the mean and {worst['engine']:.4f} at most (a plain forward: "
        f"{mean['plain']:.4f} and {worst['plain']:.4f}), {flips} of {tokens} tokens are not the plain "
        f"forward's likeliest, alone and in a batch the same {same} of {len(few)}, "
        f"scores within {difference:.4f}",
        flush=True,
    )
    return {
        "largest": worst, "mean": mean, "flips": [flips, tokens], "alone_same": [same, len(few)],
        "score_difference": difference,
    }  # fmt: skip


def column(ids: list[int]) -> torch.Tensor:
    """Token ids as a column, (T, 1)."""
    return torch.tensor(ids, device="cuda")[:, None]


@torch.inference_mode()
def log_probabilities(model: Any, prompt: list[int], ids: list[int]) -> torch.Tensor:
    """Of every token behind a prompt, by one plain forward, (T, V)."""
    logits = model(torch.tensor([prompt + ids], device="cuda")).logits[0, len(prompt) - 1 : -1]
    log_p: torch.Tensor = logits.float().log_softmax(-1)
    return log_p


def bundled(dtype: torch.dtype) -> tuple[Any, list[list[int]], Marks]:
    """Load the bundled model with the recorded run's adapter, and a hundred questions."""
    from peft import PeftModel
    from transformers import AutoTokenizer

    from tests.support.model_shapes import BUNDLED_DATASET, BUNDLED_MODEL

    tokenizer: Any = AutoTokenizer.from_pretrained(BUNDLED_MODEL)
    adapter = next((BUNDLED_MODEL.parent / "sample_run" / "checkpoints").iterdir())
    base = AutoModelForCausalLM.from_pretrained(BUNDLED_MODEL, dtype=dtype)
    model = PeftModel.from_pretrained(base, adapter).merge_and_unload().cuda().eval()
    rows = json.loads((BUNDLED_DATASET / "eval.json").read_text(encoding="utf-8"))
    questions = [row["conversations"][0]["value"] for row in rows]
    prompts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], add_generation_prompt=True, tokenize=False
        )
        for question in questions
    ]
    ids = [tokenizer(prompt + "<think>\n", add_special_tokens=False)["input_ids"] for prompt in prompts]
    return model, ids, Marks(end=(tokenizer.eos_token_id,), close=(7, 8), mark=(8,))


def continuations(vocabulary: int) -> list[list[int]]:
    """Ten categories of one to three tokens and an end token."""
    chance = random.Random(3)
    return [[*(chance.randrange(10, vocabulary) for _ in range(1 + k % 3)), 1] for k in range(10)]


def batch(model: Any, prompts: list[list[int]], new: int) -> dict[str, Any]:
    """All prompts at once, captured steps ready (second run) and not (first)."""
    engine = Engine(model, Plain(), NOBODY, slots=len(prompts))
    requests = requests_for(prompts, new)
    times = [seconds(lambda: list(engine.run(requests))) for _ in range(3)]
    best = min(times[1:])
    rate = len(prompts) * new / best
    print(f"engine: first {times[0]:.2f} s, then {best:.2f} s, {rate:,.0f} tokens/s", flush=True)
    uneven = [
        Request(prompt=r.prompt, decoding=Decoding(max_new_tokens=20 + 7 * i % new, thinks=False))
        for i, r in enumerate(requests)
    ]
    total = sum(request.decoding.max_new_tokens for request in uneven)
    mixed = min(seconds(lambda: list(engine.run(uneven))) for _ in range(2))
    print(f"uneven lengths: {mixed:.2f} s, {total / mixed:,.0f} tokens/s", flush=True)
    held = [Request(prompt=r.prompt, decoding=r.decoding, constraints=(NeverThree(),)) for r in requests]
    constrained = min(seconds(lambda: list(engine.run(held))) for _ in range(2))
    print(f"with a constraint on every row: {constrained:.2f} s", flush=True)
    sampled = requests_for(prompts, new, temperature=0.7)
    drawn = min(seconds(lambda: list(engine.run(sampled))) for _ in range(2))
    return {
        "engine_first_s": times[0], "engine_s": best, "engine_tokens_per_s": rate,
        "engine_step_ms": best / new * 1e3, "uneven_tokens_per_s": total / mixed, "sampled_s": drawn,
        "constrained_s": constrained,
    }  # fmt: skip


def chat(model: Any, prompts: list[list[int]], _: int) -> dict[str, Any]:
    """Time steps at 1, 16 and 64 rows."""
    found = {}
    for rows in (1, 16, 64):
        engine = Engine(model, Plain(), NOBODY, slots=rows)
        requests = requests_for(prompts[:rows], 120)
        list(engine.run(requests))
        short = requests_for(prompts[:rows], 20)
        long, brief = (
            min(seconds(partial(exhaust, engine, work)) for _ in range(2)) for work in (requests, short)
        )
        found[f"step_ms_at_{rows}"] = (long - brief) / 100 * 1e3
        print(f"{rows} rows: {found[f'step_ms_at_{rows}']:.2f} ms a step", flush=True)
    return found


def direct(model: Any, prompts: list[list[int]], _: int) -> dict[str, Any]:
    """Ten categories behind every prompt, in batches of 64."""
    scorer = ContinuationScorer(model, continuations(model.config.vocab_size))
    ordered = sorted(prompts, key=len)

    def work() -> None:
        for start in range(0, len(ordered), 64):
            scorer(ordered[start : start + 64]).softmax(-1).tolist()

    times = [seconds(work) for _ in range(4)]
    print(f"direct: {min(times[1:]):.3f} s (first {times[0]:.2f})", flush=True)
    return {"direct_s": min(times[1:]), "direct_first_s": times[0]}


def theirs(model: Any, prompts: list[list[int]], new: int) -> dict[str, Any]:
    """Time transformers' own continuous batching, and its generate at 8 rows."""
    settings: dict[str, Any] = {
        "max_new_tokens": new, "do_sample": False, "eos_token_id": -1, "pad_token_id": 2, "use_cache": True,
    }  # fmt: skip
    config = GenerationConfig(**settings)
    found = {}
    model.generate_batch(
        prompts[:16], generation_config=GenerationConfig(**{**settings, "max_new_tokens": 8})
    )
    found["generate_batch_s"] = seconds(lambda: model.generate_batch(prompts, generation_config=config))
    print(f"generate_batch: {found['generate_batch_s']:.1f} s", flush=True)
    model.set_attn_implementation("sdpa")
    ids = torch.tensor([(prompt * 2)[:30] for prompt in prompts[:8]], device="cuda")
    mask = torch.ones_like(ids)
    spent = seconds(lambda: model.generate(ids, attention_mask=mask, generation_config=config))
    found["generate_8_tokens_per_s"] = 8 * new / spent
    print(f"generate at 8 rows: {8 * new / spent:,.0f} tokens/s", flush=True)
    return found


def adapters(_: Any, __: list[list[int]], ___: int) -> dict[str, Any]:
    """Serve two adapters of one base from one process; compare with each merged into a base of its own."""
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM as Auto

    from backend.serving.adapters import AdapterEngines, AdapterSwitch
    from tests.support.model_shapes import BUNDLED_MODEL

    merged, questions, marks = bundled(torch.float32)
    recorded = next((BUNDLED_MODEL.parent / "sample_run" / "checkpoints").iterdir())
    folder = Path(tempfile.mkdtemp())
    torch.manual_seed(5)
    config = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(Auto.from_pretrained(BUNDLED_MODEL, dtype=torch.float32), config).save_pretrained(
        str(folder)
    )
    base = Auto.from_pretrained(BUNDLED_MODEL, dtype=torch.float32)
    other = PeftModel.from_pretrained(
        Auto.from_pretrained(BUNDLED_MODEL, dtype=torch.float32), str(folder)
    ).merge_and_unload().cuda().eval()  # fmt: skip
    both: Any = PeftModel.from_pretrained(base, recorded, adapter_name="recorded")
    both.load_adapter(str(folder), adapter_name="random")
    both = both.cuda().eval()
    names = ("recorded", "random")
    engines = {name: Engine(both, Plain(), marks, slots=16) for name in names}
    served = AdapterEngines(engines, {name: name for name in names}, AdapterSwitch(both))
    jobs = []
    for prompt in questions[:16]:
        for name in names:
            request = requests_for([prompt], 40)[0]
            jobs.append(served.submit(replace(request, adapter=name)))
    while served.has_work:
        served.step()
    same = 0
    for name, model in zip(names, (merged, other), strict=True):
        alone = dict(Engine(model, Plain(), marks, slots=16).run(requests_for(questions[:16], 40)))
        mine = [job for job in jobs if job.request.adapter == name]
        same += sum(engines[name].answer(job).ids == alone[place].ids for place, job in enumerate(mine))
    print(f"two adapters in one process: {same} of 32 answers as by models of their own", flush=True)
    return {"adapters_same_of_32": same}


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "checks": checks, "batch": batch, "chat": chat, "direct": direct, "theirs": theirs,
    "adapters": adapters,
}  # fmt: skip

if __name__ == "__main__":
    main()
