"""Export a model for another runtime, and prove it there: `python -m backend.export RUN_FOLDER`.

Reads spec.json; writes the target folder with export.json in it; ends with result.json.
"""

import gc
import logging
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from transformers.utils import logging as transformers_logging

from backend.data import rows
from backend.data.labelled_rows import LabelledRow, labelled_rows
from backend.data.templates import Renderer
from backend.export.answers import Answers, Questions, checkpoint_answers
from backend.export.gguf import Written, write_gguf
from backend.export.gguf_types import GgufType
from backend.export.merging import (
    load_merged,
    quantize_saved,
    save_merged,
    save_settings,
    trained_generation,
)
from backend.export.ollama import REPEAT_WINDOW, modelfile
from backend.export.package import write_package
from backend.export.proof import prove_folder, prove_gguf
from backend.export.weights import MergedWeights, is_large
from backend.machine import peak_memory_gib
from backend.worker import Cancelled, RunFolder, run_worker
from studio.contract import GGUF_QUANTS, PACKAGE_FILES, ExportReport, ExportSpec, Progress, Proof
from studio.errors import InputError
from studio.evaluation.export_proof import proof_document
from studio.language import say
from studio.samples.scheme import Scheme

log = logging.getLogger(__name__)

_DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
LONGEST_CONTEXT = 4096
"""Tokens of prompt and answer that a Modelfile asks for at most: titles are short, memory is not free."""
_STEPS = 4


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
        _Export(folder, spec, unfinished).run()
        if spec.target.exists():
            spec.target.rmdir()
        unfinished.replace(spec.target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return {"peak_memory_gib": peak_memory_gib()}


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What the checkpoint has told, once it is out of memory again."""

    renderer: Renderer
    scheme: Scheme
    tried: Sequence[LabelledRow]
    questions: Questions
    before: Answers
    penalty: float


class _Export:
    """The export of one model into a folder that does not have its name yet."""

    def __init__(self, folder: RunFolder, spec: ExportSpec, target: Path) -> None:
        self.folder = folder
        self.spec = spec
        self.target = target

    def run(self) -> None:
        """Ask the checkpoint, write the files, prove them, report."""
        known = self._ask_checkpoint()
        gc.collect()
        self._step("saving", 1)
        written = self._write(known)
        self._step("proving", 2)
        proof, after = self._prove(known)
        self._step("saving", 3)
        if self.spec.format == "package":
            write_package(
                self.target, self.spec, known.renderer, known.scheme, known.questions, after or known.before,
                files=self.folder.path / PACKAGE_FILES,
            )  # fmt: skip
        self._report(known.penalty, written, proof)

    def _step(self, phase: Any, done: int) -> None:
        self._stop()
        self.folder.emit(Progress(phase=phase, done=done, total=_STEPS))

    def _stop(self) -> bool:
        """Raise Cancelled wherever it is polled, in the middle of an answer too; else go on."""
        if self.folder.cancel_requested:
            raise Cancelled
        return False

    def _ask_checkpoint(self) -> _Known:
        spec = self.spec
        scheme = rows.dataset_scheme(spec.dataset_dir)
        held_out, _ = labelled_rows(spec.dataset_dir, spec.dataset, scheme)
        tried = held_out[: spec.proof_titles]
        self._step("loading", 0)
        dtype = torch.bfloat16 if is_large(spec.model_name_or_path) else torch.float32
        model, renderer = load_merged(
            spec.model_name_or_path, spec.adapter_name_or_path, spec.template, dtype
        )
        questions = Questions(
            titles=[row.title for row in tried],
            scheme=scheme,
            chains=spec.proof_chains,
            stop=self._stop,
        )
        self._step("proving", 0)
        before = checkpoint_answers(model, renderer, questions)
        penalty = float(model.generation_config.repetition_penalty or 1.0)
        return _Known(
            renderer=renderer, scheme=scheme, tried=tried, questions=questions, before=before, penalty=penalty
        )

    def _write(self, known: _Known) -> Written | None:
        spec = self.spec
        if spec.format == "adapter":
            assert spec.adapter_name_or_path, "the spec's own check"
            shutil.copytree(spec.adapter_name_or_path, self.target, dirs_exist_ok=True)
            # What a client of the adapter decodes with; its base may have been left behind.
            trained_generation(spec.model_name_or_path, known.renderer).save_pretrained(self.target)
            return None
        weights = MergedWeights(spec.model_name_or_path, spec.adapter_name_or_path)
        if spec.format == "safetensors":
            self._write_safetensors(weights, known.renderer)
            return None
        return self._write_gguf(weights, known)

    def _write_safetensors(self, weights: MergedWeights, renderer: Renderer) -> None:
        spec = self.spec
        merged = self.target if spec.quant in _DTYPES else self.target / ".merged"
        dtype = _DTYPES.get(spec.quant, torch.bfloat16)
        save_merged(weights, spec.model_name_or_path, renderer, merged, dtype, max_shard_gb=spec.max_shard_gb)
        if spec.quant in ("int8", "nf4"):
            quantize_saved(merged, self.target, cast(Any, spec.quant), max_shard_gb=spec.max_shard_gb)
            shutil.rmtree(merged)

    def _write_gguf(self, weights: MergedWeights, known: _Known) -> Written:
        spec, penalty = self.spec, known.penalty
        assert spec.quant in GGUF_QUANTS, "the spec's own check"
        settings = self.target / ".settings"
        settings.mkdir()
        save_settings(weights, spec.model_name_or_path, known.renderer, settings, torch.float32)
        sampling = {} if penalty == 1.0 else {"penalty_repeat": penalty, "penalty_last_n": REPEAT_WINDOW}
        kind = cast(GgufType, spec.quant)
        written = write_gguf(settings, self._gguf, kind, weights=weights, name=spec.name, sampling=sampling)
        if spec.format in ("ollama", "package"):
            context = min(written.context, LONGEST_CONTEXT)
            adds_bos = written.vocabulary.add_bos
            text = modelfile(
                known.renderer, self._gguf.name, penalty=penalty, context=context, adds_bos=adds_bos
            )
            (self.target / "Modelfile").write_text(text, encoding="utf-8")
        if spec.format == "package":
            shutil.copy(settings / "chat_template.jinja", self.target)
        shutil.rmtree(settings)
        return written

    @property
    def _gguf(self) -> Path:
        return self.target / f"{self.spec.name}-{self.spec.quant}.gguf"

    def _prove(self, known: _Known) -> tuple[Proof, Answers | None]:
        spec = self.spec
        rounds = (known.before, known.tried, known.questions, known.renderer)
        # Rounded to bfloat16 to fit into memory, the checkpoint itself is no closer than that.
        large = is_large(spec.model_name_or_path) and spec.quant in ("f32", "f16")
        quant = "bf16" if large else spec.quant
        if spec.format in ("gguf", "ollama", "package"):
            return prove_gguf(self._gguf, *rounds, quant, penalty=known.penalty)
        if spec.format == "adapter":
            quant = "bf16" if is_large(spec.model_name_or_path) else "f32"
            return prove_folder(spec.model_name_or_path, self.target, *rounds, quant, penalty=known.penalty)
        return prove_folder(self.target, None, *rounds, quant, penalty=known.penalty)

    def _report(self, penalty: float, written: Written | None, proof: Proof) -> None:
        (self.target / "proof.json").write_text(proof.model_dump_json(indent=2) + "\n", encoding="utf-8")
        files = {
            str(path.relative_to(self.target)): path.stat().st_size
            for path in sorted(self.target.rglob("*"))
            if path.is_file()
        }
        report = ExportReport(
            format=self.spec.format,
            quant=self.spec.quant,
            run=self.spec.run,
            files=files,
            repetition_penalty=penalty,
            tensor_types=dict(written.types) if written else {},
            fallbacks=written.fallbacks if written else 0,
            proof=proof,
        )
        (self.target / "proof.md").write_text(proof_document(report), encoding="utf-8")
        (self.target / "export.json").write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
        log.info("proof: %s", proof.model_dump_json(exclude={"first_divergence"}))


def main() -> int:
    """Entry of `python -m backend.export`."""
    transformers_logging.set_verbosity_warning()
    return run_worker(export)


if __name__ == "__main__":
    sys.exit(main())
