"""Export a model for another runtime, and prove it there: `python -m backend.export RUN_FOLDER`.

Reads spec.json; writes the target folder with export.json in it; ends with result.json.
"""

import logging
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from backend.data import rows
from backend.data.labelled_rows import LabelledRow, labelled_rows
from backend.data.templates import Renderer
from backend.export.gguf import GgufType, write_gguf
from backend.export.merging import load_merged, save_merged
from backend.export.ollama import REPEAT_WINDOW, modelfile
from backend.export.proof import Answers, checkpoint_answers, prove_folder, prove_gguf
from backend.machine import free_memory_bytes, peak_memory_gib
from backend.worker import Cancelled, RunFolder, run_worker
from studio.contract import ExportReport, ExportSpec, Progress, Proof
from studio.errors import InputError
from studio.language import say
from studio.samples.scheme import Scheme

log = logging.getLogger(__name__)

_DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
LARGEST_FLOAT32 = 2 * 2**30
"""Weights on disk up to which a merge is exact; above, it would take three times their size of memory."""
FLOAT32_GROWTH = 3.0
LONGEST_CONTEXT = 4096
"""Tokens of prompt and answer that a Modelfile asks for at most: titles are short, memory is not free."""


def export(folder: RunFolder) -> dict[str, Any]:
    """Export the folder's model; return the fields of Result that an export knows."""
    spec = folder.read_spec()
    assert isinstance(spec, ExportSpec), spec.kind
    if spec.target.exists() and any(spec.target.iterdir()):
        raise InputError(
            say(f"{spec.target} 里已有文件。", f"{spec.target} already holds files."),
            remedy=say("请给出一个新的文件夹。", "Name a new folder."),
        )
    unfinished = spec.target.with_name(f".{spec.target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        written = _write(folder, spec, unfinished)
        folder.emit(Progress(phase="proving", done=1, total=2))
        proof = _prove(spec, written, unfinished)
        _report(spec, unfinished, written.penalty, proof)
        if folder.cancel_requested:
            raise Cancelled
        if spec.target.exists():
            spec.target.rmdir()
        unfinished.replace(spec.target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return {"peak_memory_gib": peak_memory_gib()}


@dataclass(frozen=True, kw_only=True)
class _Written:
    """What is known once the files are there, and the model is out of memory again."""

    renderer: Renderer
    scheme: Scheme
    tried: Sequence[LabelledRow]
    before: Answers
    penalty: float
    gguf: Path | None = None


def _write(folder: RunFolder, spec: ExportSpec, target: Path) -> _Written:
    """Answer the proof's titles with the checkpoint, and write its files."""
    scheme = rows.dataset_scheme(spec.dataset_dir)
    held_out, _ = labelled_rows(spec.dataset_dir, spec.dataset, scheme)
    tried = held_out[: spec.proof_titles]
    folder.emit(Progress(phase="loading"))
    model, renderer = load_merged(
        spec.model_name_or_path,
        spec.adapter_name_or_path,
        spec.template,
        merging_dtype(spec.model_name_or_path),
    )
    penalty = float(model.generation_config.repetition_penalty or 1.0)
    folder.emit(Progress(phase="proving", total=2))
    titles = [row.title for row in tried]
    before = checkpoint_answers(model, renderer, scheme, titles, stop=lambda: folder.cancel_requested)
    if folder.cancel_requested:
        raise Cancelled
    folder.emit(Progress(phase="saving", done=1, total=2))
    gguf = None
    if spec.format == "adapter":
        assert spec.adapter_name_or_path, "the spec's own check"
        shutil.copytree(spec.adapter_name_or_path, target, dirs_exist_ok=True)
    elif spec.format == "safetensors":
        torch.nn.Module.to(model, _DTYPES[spec.quant])
        save_merged(model, renderer, target, max_shard_gb=spec.max_shard_gb)
    else:
        gguf = _write_gguf(spec, model, renderer, penalty, target)
    return _Written(renderer=renderer, scheme=scheme, tried=tried, before=before, penalty=penalty, gguf=gguf)


def merging_dtype(model: Path) -> torch.dtype:
    """Merge in float32, which rounds once, at the end; in bfloat16 what is large or finds no memory."""
    size = sum(file.stat().st_size for file in model.glob("*.safetensors"))
    free = free_memory_bytes()
    if size <= LARGEST_FLOAT32 and (free is None or FLOAT32_GROWTH * size < free):
        return torch.float32
    log.warning("merged in bfloat16: in float32 %.1f GiB of weights take too much memory", size / 2**30)
    return torch.bfloat16


def _prove(spec: ExportSpec, written: _Written, target: Path) -> Proof:
    known = (written.before, written.tried, written.scheme, written.renderer)
    if written.gguf is not None:
        return prove_gguf(written.gguf, *known, spec.quant)
    if spec.format == "adapter":
        return prove_folder(spec.model_name_or_path, target, *known, "f32")
    return prove_folder(target, None, *known, spec.quant)


def _write_gguf(
    spec: ExportSpec, model: PreTrainedModel, renderer: Renderer, penalty: float, target: Path
) -> Path:
    merged = target / ".merged"
    save_merged(model, renderer, merged, max_shard_gb=spec.max_shard_gb)
    file = target / f"{spec.name}-{spec.quant}.gguf"
    kind: GgufType = spec.quant
    sampling = {} if penalty == 1.0 else {"penalty_repeat": penalty, "penalty_last_n": REPEAT_WINDOW}
    vocabulary = write_gguf(merged, file, kind, name=spec.name, sampling=sampling)
    shutil.rmtree(merged)
    if spec.format == "ollama":
        context = min(int(model.config.max_position_embeddings), LONGEST_CONTEXT)
        text = modelfile(renderer, file.name, penalty=penalty, context=context, adds_bos=vocabulary.add_bos)
        (target / "Modelfile").write_text(text, encoding="utf-8")
    return file


def _report(spec: ExportSpec, target: Path, penalty: float, proof: Proof) -> None:
    files = {
        str(path.relative_to(target)): path.stat().st_size
        for path in sorted(target.rglob("*"))
        if path.is_file()
    }
    report = ExportReport(
        format=spec.format,
        quant=spec.quant,
        run=spec.run,
        files=files,
        repetition_penalty=penalty,
        proof=proof,
    )
    (target / "export.json").write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    log.info("proof: %s", proof.model_dump_json())


def main() -> int:
    """Entry of `python -m backend.export`."""
    transformers_logging.set_verbosity_warning()
    return run_worker(export)


if __name__ == "__main__":
    sys.exit(main())
