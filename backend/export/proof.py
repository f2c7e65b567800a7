"""Prove an export: its answers in its own runtime beside those of the checkpoint.

llama.cpp answers for GGUF and Ollama files, transformers for safetensors and adapters. Compared are
the category of direct scores, the text of chains without repetition penalty, and the prompt that the
export's own template writes. What differs names its cause: template, end token, or weights.
"""

import importlib.metadata
import importlib.util
import logging
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from transformers import PreTrainedModel

from backend.data.labelled_rows import LabelledRow
from backend.data.templates import Renderer
from backend.engine.answering import Answerer
from backend.engine.endpoint import EndpointAnswering
from backend.engine.titles import Answering, Written, never
from backend.modeling.loading import load_model
from backend.modeling.tokenizers import load_tokenizer
from studio.contract import EndpointSpec, Proof
from studio.samples.canonical import write_question
from studio.samples.scheme import Scheme

log = logging.getLogger(__name__)

TEXTS = 20
"""Titles whose chains are compared, of those that are scored."""
TEXT_TOKENS = 64
SAME_CATEGORY = 0.98
SAME_TEXT = {"f32": 0.95, "f16": 0.8, "bf16": 0.3}
"""Share of the texts that stays the same; types with fewer bits are held to their accuracy."""
SAME_CATEGORY_QUANTIZED = 0.9
SIGNIFICANT = 0.05
_SHOWN = 80


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The answers to the proof's titles: direct scores of all, chains of the first ones."""

    scores: list[dict[str, float]]
    chains: list[Written]


def checkpoint_answers(
    model: PreTrainedModel,
    renderer: Renderer,
    scheme: Scheme,
    titles: Sequence[str],
    *,
    stop: Callable[[], bool] = never,
) -> Answers:
    """Answer as the checkpoint does here, without repetition penalty."""
    answerer = Answerer(model, renderer)
    answerer.penalty = 1.0
    prompts = answerer.render_prompts(titles, scheme.prompt)
    scores = answerer.score(prompts, scheme.names) if prompts else []
    first = prompts[:TEXTS]
    written = answerer.generate(first, max_new_tokens=TEXT_TOKENS, stop=stop) if first else []
    chains = [Written(text=w.text, tokens=w.tokens, finished=w.finished, forced=w.forced) for w in written]
    return Answers(scores=scores, chains=chains)


def prove_folder(
    model: Path, adapter: Path | None, before: Answers, rows: Sequence[LabelledRow], scheme: Scheme,
    renderer: Renderer, quant: str,
) -> Proof:  # fmt: skip
    """Prove a folder of safetensors, or an adapter beside its base, by loading it again."""
    tokenizer = load_tokenizer(adapter or model, model)
    asked = _asked(scheme, rows)
    expected = renderer.prompt(asked)
    expected += renderer.open_thought(expected)
    same_prompt = None if adapter else Renderer(tokenizer, "tokenizer").prompt(asked) == expected
    # Answered as the studio answers, whose prompt opens the thought itself: the weights are compared here.
    tokenizer.chat_template = renderer.tokenizer.chat_template
    own = Renderer(tokenizer, renderer.name)
    after = checkpoint_answers(load_model(model, adapter), own, scheme, [row.title for row in rows])
    return compared(
        before, after, rows, runtime=_runtime("transformers"), quant=quant, same_prompt=same_prompt
    )


def prove_gguf(
    file: Path, before: Answers, rows: Sequence[LabelledRow], scheme: Scheme, renderer: Renderer, quant: str
) -> Proof:
    """Prove a GGUF file in a llama.cpp server inside this process; unproven where there is none."""
    if importlib.util.find_spec("xllamacpp") is None:
        return Proof(runtime="", proven=False, cause="no_runtime", titles=len(rows))
    with _llama_server(file) as url:
        same_prompt = _same_prompt(url, renderer, _asked(scheme, rows))
        spec = EndpointSpec(
            base_url=f"{url}/v1",
            model=file.stem,
            concurrency=4,
            timeout_seconds=600,
            # The file has the model's penalty as its default.
            fields={"repeat_penalty": 1.0},
        )
        answering = EndpointAnswering(spec, scheme, renderer=renderer, max_new_tokens=TEXT_TOKENS)
        try:
            after = _answered(answering, [row.title for row in rows])
        finally:
            answering.close()
    return compared(before, after, rows, runtime=_runtime("xllamacpp"), quant=quant, same_prompt=same_prompt)


def compared(
    before: Answers, after: Answers, rows: Sequence[LabelledRow], *, runtime: str, quant: str,
    same_prompt: bool | None,
) -> Proof:  # fmt: skip
    """Compare two rounds of answers, and name the cause where they differ too much."""
    pairs = list(zip(before.scores, after.scores, strict=True))
    texts = [one.text == other.text for one, other in zip(before.chains, after.chains, strict=True)]
    same_category = sum(_best(one) == _best(other) for one, other in pairs)
    right = [
        (_best(one) == row.category, _best(other) == row.category)
        for (one, other), row in zip(pairs, rows, strict=True)
    ]
    lost, gained = right.count((True, False)), right.count((False, True))
    counts = {
        "runtime": runtime,
        "titles": len(pairs),
        "same_category": same_category,
        "right_before": sum(one for one, _ in right),
        "lost": lost,
        "gained": gained,
        "largest_difference": round(
            max((abs(one[name] - other[name]) for one, other in pairs for name in one), default=0.0), 4
        ),
        "texts": len(texts),
        "same_text": sum(texts),
        "same_prompt": same_prompt,
        "first_difference": _first_difference(before, after, rows),
    }
    cause = _cause(before, after, same_prompt, quant, (same_category, lost, gained), texts)
    return Proof.model_validate({**counts, "cause": cause, "proven": not cause})


def _cause(
    before: Answers,
    after: Answers,
    same_prompt: bool | None,
    quant: str,
    counts: tuple[int, int, int],
    texts: Sequence[bool],
) -> str:
    """Name why it is not proven; "" where it is. Weights before ends: wrong ones end nowhere."""
    if not before.scores:
        return "no_titles"
    if same_prompt is False:
        return "template"
    if not _keeps_categories(quant, len(before.scores), *counts):
        return "weights"
    ended = [sum(written.finished for written in answers.chains) for answers in (before, after)]
    if ended[1] < 0.8 * ended[0] or _runs_on(before, after):
        return "end_token"
    return "weights" if sum(texts) < SAME_TEXT.get(quant, 0.0) * len(texts) else ""


def _keeps_categories(quant: str, titles: int, same: int, lost: int, gained: int) -> bool:
    """Whether the categories are the same; with few bits, whether no accuracy is lost."""
    if quant in SAME_TEXT:
        return same >= SAME_CATEGORY * titles
    return same >= SAME_CATEGORY_QUANTIZED * titles and not (
        lost > gained and mcnemar_p(lost, gained) < SIGNIFICANT
    )


def mcnemar_p(lost: int, gained: int) -> float:
    """Compute the two-sided exact p of McNemar's test: changes this uneven, if neither were likelier."""
    count = lost + gained
    tail: float = sum(math.comb(count, k) for k in range(min(lost, gained) + 1)) / 2.0**count
    return min(1.0, 2 * tail)


def _runs_on(before: Answers, after: Answers) -> bool:
    """Whether answers go on where the checkpoint's end: they begin with those, and are longer."""
    longer = [
        other.text.startswith(one.text) and len(other.text) > len(one.text)
        for one, other in zip(before.chains, after.chains, strict=True)
        if one.finished
    ]
    return sum(longer) > 0.2 * len(longer)


def _first_difference(
    before: Answers, after: Answers, rows: Sequence[LabelledRow]
) -> tuple[str, str, str] | None:
    for row, one, other in zip(rows, before.chains, after.chains, strict=False):
        if one.text != other.text:
            same = next(
                (at for at, (a, b) in enumerate(zip(one.text, other.text, strict=False)) if a != b),
                min(len(one.text), len(other.text)),
            )
            return row.title, one.text[same : same + _SHOWN], other.text[same : same + _SHOWN]
    return None


def _answered(answering: Answering, titles: Sequence[str]) -> Answers:
    scores = dict(answering.score(titles))
    chains = dict(answering.answer(titles[:TEXTS]))
    return Answers(
        scores=[scores[index] for index in range(len(titles))],
        chains=[chains[index] for index in range(len(chains))],
    )


def _asked(scheme: Scheme, rows: Sequence[LabelledRow]) -> list[dict[str, str]]:
    title = rows[0].title if rows else ""
    return [{"role": "user", "content": write_question(scheme.prompt, title)}]


def _best(scores: dict[str, float]) -> str:
    return max(scores, key=lambda name: scores[name])


def _runtime(package: str) -> str:
    return f"{package} {importlib.metadata.version(package)}"


def _same_prompt(url: str, renderer: Renderer, messages: list[dict[str, str]]) -> bool:
    """Whether llama.cpp writes the trained prompt by the template in the file, its thought opened."""
    expected = renderer.prompt(messages)
    expected += renderer.open_thought(expected)
    answer = httpx2.post(f"{url}/apply-template", json={"messages": messages}, timeout=60, trust_env=False)
    found = str(answer.json().get("prompt", "")) if answer.status_code == 200 else ""
    # The server leaves out a beginning token that it adds to the tokens itself.
    return found == expected or renderer.bos + found == expected


@contextmanager
def _llama_server(file: Path) -> Iterator[str]:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file)
    parameters.model_alias = {file.stem}
    parameters.n_parallel, parameters.port = 4, 0
    parameters.n_ctx = 4 * 1024
    # Its threads spin while they wait, which starves whatever else the machine does.
    parameters.cpuparams.n_threads = max(1, (os.cpu_count() or 2) // 2)
    parameters.cpuparams_batch.n_threads = parameters.cpuparams.n_threads
    parameters.warmup = False
    parameters.verbosity = -1
    server = xllamacpp.Server(parameters)
    try:
        yield str(server.listening_address)
    finally:
        del server
