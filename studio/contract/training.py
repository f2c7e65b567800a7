"""What one training run needs."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from studio.contract.base import AnswerMode, Frozen, TemplateName


class TrainSpec(Frozen):
    """Everything one training run needs, and nothing it can look up."""

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["train"] = Field("train", description="What the worker is asked to do.")
    stage: Literal["sft", "pt"] = Field(
        "sft", description="sft: learn to answer conversations. pt: continue pre-training on plain text."
    )
    model_name_or_path: Path = Field(description="Folder of the base model (config, tokenizer, safetensors).")
    dataset_dir: Path = Field(description="Folder with dataset_info.json, as a dataset version writes it.")
    dataset: str = Field("train", description="Entry of dataset_info.json to train on.")
    eval_dataset: str | None = Field(
        "eval", description="Entry of dataset_info.json for the held-out loss and the scores; empty: none."
    )
    finetuning_type: Literal["lora", "full"] = Field(
        "lora", description="lora: small adapter matrices beside frozen weights. full: every weight."
    )
    template: TemplateName = Field(
        "auto", description="How a conversation becomes text. auto: the one that fits the model."
    )
    cutoff_len: int = Field(
        512, ge=16, le=131072, description="Longest sample in tokens; a longer one is left out and listed."
    )
    learning_rate: float = Field(2e-4, gt=0, lt=1, description="Peak step size of AdamW.")
    num_train_epochs: float = Field(3.0, gt=0, le=1000, description="Passes over the training rows.")
    max_steps: int = Field(-1, ge=-1, description="Stop after this many optimizer steps; -1: by epochs.")
    per_device_train_batch_size: int = Field(8, ge=1, le=4096, description="Rows a device sees at once.")
    gradient_accumulation_steps: int = Field(
        1, ge=1, le=4096, description="Batches added up before one optimizer step."
    )
    lr_scheduler_type: Literal["cosine", "linear", "constant", "constant_with_warmup"] = Field(
        "cosine", description="How the learning rate falls after warmup."
    )
    warmup_ratio: float = Field(
        0.06, ge=0, lt=1, description="Share of the steps in which the learning rate rises."
    )
    weight_decay: float = Field(0.0, ge=0, le=10, description="AdamW's pull of the weights towards zero.")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients longer than this are shortened to it.")
    lora_rank: int = Field(16, ge=1, le=1024, description="Columns of each adapter matrix: its capacity.")
    lora_alpha: int | None = Field(
        None, ge=1, le=4096, description="Adapter output is scaled by alpha / rank; empty: twice the rank."
    )
    lora_dropout: float = Field(
        0.0, ge=0, lt=1, description="Share of adapter inputs dropped while training."
    )
    lora_target: str = Field(
        "all", description="all: every linear layer but the head; or module names separated by commas."
    )
    loraplus_lr_ratio: float | None = Field(
        None, ge=1, le=128, description="LoRA+: matrix B learns this many times faster than A; empty: off."
    )
    use_rslora: bool = Field(False, description="Scale by alpha / sqrt(rank), for high ranks.")
    use_dora: bool = Field(False, description="DoRA: learn direction and length apart; slower.")
    direct_share: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the rows that is learned a second time with an empty chain, for direct answers.",
    )
    label_weight: float = Field(
        3.0,
        ge=1,
        le=100,
        description="Weight in the loss of the tokens that name the category, in the think chain and behind it.",
    )
    seed: int = Field(42, ge=0, lt=2**32, description="Seed of shuffling, adapter start and dropout.")
    logging_steps: int = Field(5, ge=1, description="Steps between two points of the loss curve.")
    eval_steps: int = Field(0, ge=0, description="Steps between two held-out losses; 0: after every epoch.")
    save_steps: int = Field(0, ge=0, description="Steps between two checkpoints; 0: only at the end.")
    evaluate_after: tuple[AnswerMode, ...] = Field(
        ("chain", "direct"), description="How the held-out rows are answered and scored after training."
    )
    eval_limit: int | None = Field(
        None, ge=1, description="Score at most this many held-out rows; empty: all."
    )
    max_new_tokens: int = Field(256, ge=8, le=32768, description="Longest generated answer in tokens.")
    bf16: bool | None = Field(None, description="Compute in bfloat16; empty: on a GPU that has it.")

    @model_validator(mode="after")
    def _fields_fit_together(self) -> "TrainSpec":
        if self.finetuning_type != "lora" and (self.loraplus_lr_ratio or self.use_dora or self.use_rslora):
            raise ValueError(
                "loraplus_lr_ratio, use_dora and use_rslora need finetuning_type lora; remove them or choose lora."
            )
        return self

    @property
    def scaling_alpha(self) -> int:
        """lora_alpha, or its default of twice the rank."""
        return self.lora_alpha or 2 * self.lora_rank
