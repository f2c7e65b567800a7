"""Define an export: its spec, how it was proven, and the report beside its files."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from studio.contract._base import Frozen, TemplateName

ExportFormat = Literal["adapter", "safetensors", "gguf", "ollama", "package"]
ExportQuant = Literal[
    "f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_1", "q5_0", "q4_k_m", "q4_k_s", "q4_1", "q4_0",
    "q3_k_m", "int8", "nf4",
]  # fmt: skip
GGUF_QUANTS: tuple[ExportQuant, ...] = (
    "f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_1", "q5_0", "q4_k_m", "q4_k_s", "q4_1", "q4_0",
    "q3_k_m",
)  # fmt: skip
SAFETENSORS_QUANTS: tuple[ExportQuant, ...] = ("f32", "f16", "bf16", "int8", "nf4")
QUANTS_OF: dict[ExportFormat, tuple[ExportQuant, ...]] = {
    "adapter": ("f32",),
    "safetensors": SAFETENSORS_QUANTS,
    "gguf": GGUF_QUANTS,
    "ollama": GGUF_QUANTS,
    "package": GGUF_QUANTS,
}
"""The types of weights that each format can be written in; an adapter stays in its own."""
PACKAGE_FILES = "package"
"""Folder in a run folder with what studio knows of a package: the card, licences, changes."""


class ExportSpec(Frozen):
    """A model, with or without adapter, to be written for another runtime, and tried there."""

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["export"] = Field("export", description="What the worker is asked to do.")
    model_name_or_path: Path = Field(description="Folder of the base model.")
    adapter_name_or_path: Path | None = Field(
        None, description="Folder of a LoRA adapter; empty: the base alone."
    )
    template: TemplateName = Field("auto", description="Chat template that renders a conversation.")
    format: ExportFormat = Field(
        description="adapter: the adapter as it is. safetensors: merged, for transformers, vLLM, SGLang."
        " gguf: merged, for llama.cpp. ollama: the same with a Modelfile. package: the same with a server,"
        " a client, the card and a smoke test."
    )
    quant: ExportQuant = Field(
        "f16", description="Type of the weights; safetensors: f32, f16, bf16, int8, nf4; else of llama.cpp."
    )
    max_shard_gb: float = Field(4.0, gt=0, le=1000, description="Largest safetensors file, in gigabytes.")
    target: Path = Field(description="Destination folder; it must not hold anything yet.")
    dataset_dir: Path = Field(description="Folder with dataset_info.json, whose titles are tried.")
    dataset: str = Field("eval", description="Entry of dataset_info.json whose titles are tried.")
    proof_titles: int = Field(
        100, ge=0, description="Titles that are tried in the target's runtime; 0: none."
    )
    proof_chains: int = Field(20, ge=0, description="Of these, titles whose think chains are compared.")
    name: str = Field("news-classifier", pattern=r"^[\w.-]{1,80}$", description="Name of the model's files.")
    run: str | None = Field(None, description="The training run that is exported, if it is one.")

    @model_validator(mode="after")
    def _fields_fit_together(self) -> "ExportSpec":
        if self.format == "adapter" and self.adapter_name_or_path is None:
            raise ValueError("format adapter needs an adapter; this model has none: choose safetensors.")
        if self.format == "package" and not self.proof_titles:
            raise ValueError("a package is tested with titles: proof_titles must be at least 1.")
        if self.format != "adapter" and self.quant not in QUANTS_OF[self.format]:
            known = ", ".join(QUANTS_OF[self.format])
            raise ValueError(f"{self.format} cannot be written as {self.quant}: choose one of {known}.")
        return self


class Divergence(Frozen):
    """The first title whose chain differs: both rendered prompts, both answers as tokens."""

    title: str
    prompt_before: str
    prompt_after: str
    tokens_before: tuple[str, ...]
    tokens_after: tuple[str, ...]
    at: int = Field(description="Position of the first token that differs, from 0.")


class ChainTrial(Frozen):
    """Think chains of the checkpoint and of the export, under one setting of the repetition penalty."""

    penalty: float = Field(
        description="Of the checkpoint; the export applies it as its runtime does. 1: none."
    )
    titles: int
    right_before: int
    right_after: int
    ended_before: int = Field(description="Answers that came to their end within the limit.")
    ended_after: int
    same_category: int
    same_text: int


class Proof(Frozen):
    """How the answers of an export in its own runtime compare with those of the checkpoint.

    Counts are of titles. Categories are by direct scores; `texts` are chains without repetition penalty,
    which runtimes apply differently.
    """

    runtime: str = Field(description="What answered, with its version; empty: nothing did.")
    proven: bool
    cause: Literal["", "no_runtime", "no_titles", "template", "end_token", "weights"] = Field(
        "", description="Why it is not proven."
    )
    titles: int = 0
    same_category: int = 0
    right_before: int = 0
    lost: int = Field(0, description="Titles that were right before and are wrong after.")
    gained: int = Field(0, description="Titles that were wrong before and are right after.")
    p_value: float = Field(1.0, description="Exact McNemar test of lost against gained, two-sided.")
    largest_difference: float = Field(0.0, description="Of a category's probability.")
    nmse: float | None = Field(
        None,
        description="Normalized mean squared error of the logits, centred, where a category is chosen;"
        " None: not asked.",
    )
    texts: int = 0
    same_text: int = 0
    same_prompt: bool | None = Field(
        None, description="Whether the export's own chat template writes the trained prompt; None: not asked."
    )
    chains: tuple[ChainTrial, ...] = Field((), description="Without the repetition penalty, then with it.")
    first_divergence: Divergence | None = None

    @property
    def right_after(self) -> int:
        """Titles that the export answers right."""
        return self.right_before - self.lost + self.gained


class ExportReport(Frozen):
    """The content of export.json, beside what was exported."""

    format_version: Literal[1] = 1
    format: ExportFormat
    quant: ExportQuant
    run: str | None
    files: dict[str, int] = Field(description="Bytes of each file.")
    repetition_penalty: float = Field(
        1.0, description="What the model needs inside its thought; runtimes know it otherwise or not at all."
    )
    tensor_types: dict[str, int] = Field(
        default_factory=dict, description="How many tensors of a GGUF file have each type."
    )
    fallbacks: int = Field(
        0,
        description="Tensors whose rows are no multiple of 256: written in a type of 32 to a block instead.",
    )
    proof: Proof

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(self.files.values())
