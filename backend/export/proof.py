"""Prove an export: its answers in its own runtime beside those of the checkpoint.

llama.cpp answers for GGUF files, transformers for safetensors and adapters. Compared are the category of
direct scores, the logits, the prompt that the export's own template writes, and the text of chains, with
and without repetition penalty. What differs names its cause: template, end token, or weights.
"""

import importlib.metadata
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.data.labelled_rows import LabelledRow
from backend.data.templates import Renderer
from backend.engine.titles import Written
from backend.export.answers import Answers, Questions, centred, folder_answers
from backend.export.llama_cpp import gguf_answers, is_installed
from studio.contract import ChainTrial, Divergence, ExportQuant, Proof
from studio.evaluation.paired import ALPHA, mcnemar
from studio.samples.canonical import CLOSE, read_answer

SAME_CATEGORY = 0.98
SAME_TEXT = {"f32": 0.9, "f16": 0.7, "bf16": 0.3}
"""Share of the texts that stays the same; types with fewer bits are held to their accuracy."""
SAME_CATEGORY_QUANTIZED = 0.9
NMSE = {"f32": 1e-6, "f16": 1e-4, "bf16": 1e-3, "q8_0": 1e-2, "int8": 1e-2, "q6_k": 1e-2}
"""Largest error of the logits; a hundred times that of the bundled model. Fewer bits: their accuracy."""
_ENDED = 0.8


def prove_folder(
    model: Path, adapter: Path | None, before: Answers, rows: Sequence[LabelledRow], questions: Questions,
    renderer: Renderer, quant: ExportQuant, *, penalty: float,
) -> tuple[Proof, Answers]:  # fmt: skip
    """Prove a folder of safetensors, or an adapter beside its base, by loading it; and return its answers."""
    after = folder_answers(model, adapter, renderer, questions)
    runtime = _runtime("transformers")
    return compared(before, after, rows, renderer, runtime=runtime, quant=quant, penalty=penalty), after


def prove_gguf(
    file: Path, before: Answers, rows: Sequence[LabelledRow], questions: Questions, renderer: Renderer,
    quant: ExportQuant, *, penalty: float,
) -> tuple[Proof, Answers | None]:  # fmt: skip
    """Prove a GGUF file in llama.cpp; unproven where there is none."""
    if not is_installed():
        return Proof(runtime="", proven=False, cause="no_runtime", titles=len(rows)), None
    after = gguf_answers(file, renderer, questions, penalty=penalty)
    runtime = _runtime("xllamacpp")
    return compared(before, after, rows, renderer, runtime=runtime, quant=quant, penalty=penalty), after


def compared(
    before: Answers, after: Answers, rows: Sequence[LabelledRow], renderer: Renderer, *,
    runtime: str, quant: ExportQuant, penalty: float,
) -> Proof:  # fmt: skip
    """Compare two rounds of answers, and name the cause where they differ too much."""
    pairs = list(zip(before.scores, after.scores, strict=True))
    right = [
        (_best(one) == row.category, _best(other) == row.category)
        for (one, other), row in zip(pairs, rows, strict=True)
    ]
    lost, gained = right.count((True, False)), right.count((False, True))
    trials = [_trial(before.chains, after.chains, rows, 1.0)]
    if before.penalized:
        trials.append(_trial(before.penalized, after.penalized, rows, penalty))
    proof = Proof(
        runtime=runtime,
        proven=False,
        titles=len(pairs),
        same_category=sum(_best(one) == _best(other) for one, other in pairs),
        right_before=sum(one for one, _ in right),
        lost=lost,
        gained=gained,
        p_value=mcnemar(fixed=gained, broken=lost),
        largest_difference=round(
            max((abs(one[name] - other[name]) for one, other in pairs for name in one), default=0.0), 4
        ),
        nmse=_nmse(before.logits, after.logits),
        texts=len(before.chains),
        same_text=trials[0].same_text,
        same_prompt=_same_prompt(before, after, renderer),
        chains=tuple(trials) if before.chains else (),
        first_divergence=_first_divergence(before, after, rows, renderer),
    )
    cause = _cause(proof, before, after, quant)
    return Proof.model_validate({**dict(proof), "cause": cause, "proven": not cause})


def _cause(proof: Proof, before: Answers, after: Answers, quant: str) -> str:
    """Name why it is not proven; "" where it is. Weights before ends: wrong ones end nowhere."""
    if not proof.titles:
        return "no_titles"
    if proof.same_prompt is False:
        return "template"
    if not _keeps_categories(proof, quant):
        return "weights"
    if sum(after.ends) < _ENDED * sum(before.ends):
        return "end_token"
    ended = [sum(written.finished for written in answers.chains) for answers in (before, after)]
    if ended[1] < _ENDED * ended[0] or _runs_on(before, after):
        return "end_token"
    return "weights" if proof.same_text < SAME_TEXT.get(quant, 0.0) * proof.texts else ""


def _keeps_categories(proof: Proof, quant: str) -> bool:
    """Whether the logits and categories are the same; with few bits, whether no accuracy is lost."""
    if proof.nmse is not None and proof.nmse > NMSE.get(quant, math.inf):
        return False
    if quant in SAME_TEXT:
        return proof.same_category >= SAME_CATEGORY * proof.titles
    loses = proof.lost > proof.gained and proof.p_value < ALPHA
    # One other category is no proof of anything, however few titles there were.
    fewest = min(SAME_CATEGORY_QUANTIZED * proof.titles, proof.titles - 1)
    return proof.same_category >= fewest and not loses


def _runs_on(before: Answers, after: Answers) -> bool:
    """Whether answers go on where the checkpoint's end: they begin with those, and are longer."""
    longer = [
        other.text.startswith(one.text) and len(other.text) > len(one.text)
        for one, other in zip(before.chains, after.chains, strict=True)
        if one.finished
    ]
    return sum(longer) > 0.2 * len(longer)


def _trial(
    before: Sequence[Written], after: Sequence[Written], rows: Sequence[LabelledRow], penalty: float
) -> ChainTrial:
    """Count two rounds of chains. An answer that does not end by itself has no category."""
    names = [(_named(one), _named(other)) for one, other in zip(before, after, strict=True)]
    labels = [row.category for row in rows[: len(names)]]
    return ChainTrial(
        penalty=penalty,
        titles=len(names),
        right_before=sum(one == label for (one, _), label in zip(names, labels, strict=True)),
        right_after=sum(other == label for (_, other), label in zip(names, labels, strict=True)),
        ended_before=sum(_ends(one) for one in before),
        ended_after=sum(_ends(other) for other in after),
        same_category=sum(one == other for one, other in names),
        same_text=sum(_same_text(one, other) for one, other in zip(before, after, strict=True)),
    )


def _ends(written: Written) -> bool:
    return written.finished and not written.forced


def _named(written: Written) -> str | None:
    return read_answer(written.text).label if _ends(written) else None


def _same_text(one: Written, other: Written) -> bool:
    """Whether two texts are the same; of those that ran into a limit, as far as both go."""
    if _ends(one) or _ends(other):
        return one.text.strip() == other.text.strip()
    first, second = sorted((_unclosed(one.text), _unclosed(other.text)), key=len)
    return second.startswith(first)


def _unclosed(text: str) -> str:
    """Return a thought without the end that it was given from outside."""
    return text.partition(CLOSE)[0].rstrip()


def _nmse(before: NDArray[np.float64] | None, after: NDArray[np.float64] | None) -> float | None:
    """Compute the normalized mean squared error of centred logits over the tokens that both know.

    Source: llama.cpp, examples/model-conversion/scripts/utils/check-nmse.py.
    """
    if before is None or after is None or len(before) != len(after):
        return None
    width = min(before.shape[1], after.shape[1])
    known = ~(np.isnan(before[:, :width]) | np.isnan(after[:, :width])).any(axis=0)
    one, other = (centred(logits[:, :width][:, known]) for logits in (before, after))
    power = float(np.mean(one**2))
    return float(np.mean((one - other) ** 2) / power) if power else None


def _same_prompt(before: Answers, after: Answers, renderer: Renderer) -> bool | None:
    """Whether the export's own template writes the trained prompt, its thought opened."""
    if not before.prompts:
        return None
    one, other = before.prompts[0], after.prompts[0]
    # llama.cpp leaves out a beginning token that it adds to the tokens itself.
    return other == one or renderer.bos + other == one


def _first_divergence(
    before: Answers, after: Answers, rows: Sequence[LabelledRow], renderer: Renderer
) -> Divergence | None:
    pairs = zip(rows, before.prompts, after.prompts, before.chains, after.chains, strict=False)
    for row, prompt_before, prompt_after, one, other in pairs:
        if _same_text(one, other):
            continue
        tokens = [_pieces(renderer, text) for text in (one.text, other.text)]
        shorter = min(map(len, tokens))
        at = next((place for place in range(shorter) if tokens[0][place] != tokens[1][place]), shorter)
        return Divergence(
            title=row.title,
            prompt_before=prompt_before,
            prompt_after=prompt_after,
            tokens_before=tokens[0],
            tokens_after=tokens[1],
            at=at,
        )
    return None


def _pieces(renderer: Renderer, text: str) -> tuple[str, ...]:
    """Split a text into tokens as people can read them."""
    ids = renderer.tokenizer(text, add_special_tokens=False)["input_ids"]
    return tuple(str(renderer.tokenizer.decode([token])) for token in ids)


def _best(scores: dict[str, float]) -> str:
    return max(scores, key=lambda name: scores[name])


def _runtime(package: str) -> str:
    return f"{package} {importlib.metadata.version(package)}"
