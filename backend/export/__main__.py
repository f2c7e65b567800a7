"""Export a model for another runtime, and prove it there: `python -m backend.export RUN_FOLDER`.

Reads spec.json; writes the target folder with export.json in it; ends with result.json.
"""

import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from backend.data import rows
from backend.data.labelled_rows import labelled_rows
from backend.data.templates import Renderer
from backend.export.gguf import GgufType, write_gguf
from backend.export.merging import load_merged, save_merged
from backend.export.ollama import REPEAT_WINDOW, modelfile
from backend.export.proof import checkpoint_answers, prove_folder, prove_gguf
from backend.machine import peak_memory_gib
from backend.worker import Cancelled, RunFolder, run_worker
from studio.contract import ExportReport, ExportSpec, Progress, Proof
from studio.errors import InputError
from studio.language import say

log = logging.getLogger(__name__)

_DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
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
    folder.emit(Progress(phase="loading"))
    # Quantized from what is exact: float32, which a merge in bfloat16 would round once more.
    dtype = _DTYPES[spec.quant] if spec.format == "safetensors" else torch.float32
    model, renderer = load_merged(spec.model_name_or_path, spec.adapter_name_or_path, spec.template, dtype)
    unfinished = spec.target.with_name(f".{spec.target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        proof = _write_and_prove(folder, spec, model.eval(), renderer, unfinished)
        _report(spec, unfinished, model, proof)
        if folder.cancel_requested:
            raise Cancelled
        if spec.target.exists():
            spec.target.rmdir()
        unfinished.replace(spec.target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return {"peak_memory_gib": peak_memory_gib()}


def _write_and_prove(
    folder: RunFolder, spec: ExportSpec, model: PreTrainedModel, renderer: Renderer, target: Path
) -> Proof:
    scheme = rows.dataset_scheme(spec.dataset_dir)
    held_out, _ = labelled_rows(spec.dataset_dir, spec.dataset, scheme)
    tried = held_out[: spec.proof_titles]
    titles = [row.title for row in tried]
    folder.emit(Progress(phase="proving", total=2))
    before = checkpoint_answers(model, renderer, scheme, titles, stop=lambda: folder.cancel_requested)
    if folder.cancel_requested:
        raise Cancelled
    folder.emit(Progress(phase="saving", done=1, total=2))
    if spec.format == "adapter":
        assert spec.adapter_name_or_path, "the spec's own check"
        shutil.copytree(spec.adapter_name_or_path, target, dirs_exist_ok=True)
        return prove_folder(spec.model_name_or_path, target, before, tried, scheme, renderer, "f32")
    if spec.format == "safetensors":
        save_merged(model, renderer, target, max_shard_gb=spec.max_shard_gb)
        folder.emit(Progress(phase="proving", done=1, total=2))
        return prove_folder(target, None, before, tried, scheme, renderer, spec.quant)
    file = _write_gguf(spec, model, renderer, target)
    folder.emit(Progress(phase="proving", done=1, total=2))
    return prove_gguf(file, before, tried, scheme, renderer, spec.quant)


def _write_gguf(spec: ExportSpec, model: PreTrainedModel, renderer: Renderer, target: Path) -> Path:
    merged = target / ".merged"
    save_merged(model, renderer, merged, max_shard_gb=spec.max_shard_gb)
    file = target / f"{spec.name}-{spec.quant}.gguf"
    kind: GgufType = spec.quant
    penalty = _penalty(model)
    sampling = {} if penalty == 1.0 else {"penalty_repeat": penalty, "penalty_last_n": REPEAT_WINDOW}
    vocabulary = write_gguf(merged, file, kind, name=spec.name, sampling=sampling)
    shutil.rmtree(merged)
    if spec.format == "ollama":
        context = min(int(model.config.max_position_embeddings), LONGEST_CONTEXT)
        text = modelfile(renderer, file.name, penalty=penalty, context=context, adds_bos=vocabulary.add_bos)
        (target / "Modelfile").write_text(text, encoding="utf-8")
    return file


def _report(spec: ExportSpec, target: Path, model: PreTrainedModel, proof: Proof) -> None:
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
        repetition_penalty=_penalty(model),
        proof=proof,
    )
    (target / "export.json").write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    log.info("proof: %s", proof.model_dump_json())


def _penalty(model: PreTrainedModel) -> float:
    return float(model.generation_config.repetition_penalty or 1.0)


def main() -> int:
    """Entry of `python -m backend.export`."""
    transformers_logging.set_verbosity_warning()
    return run_worker(export)


if __name__ == "__main__":
    sys.exit(main())
