"""Define the spec of one training run."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from studio.contract._base import AnswerMode, Frozen, TemplateName

SchedulerName = Literal[
    "cosine",
    "linear",
    "constant",
    "constant_with_warmup",
    "cosine_with_restarts",
    "polynomial",
    "inverse_sqrt",
    "cosine_with_min_lr",
    "cosine_warmup_with_min_lr",
    "warmup_stable_decay",
    "reduce_lr_on_plateau",
    "greedy",
]
"""The schedules of transformers that need no arguments beyond the spec."""

OptimizerName = Literal["adamw_torch", "adamw_torch_fused", "adamw_8bit", "paged_adamw_8bit", "adafactor"]

Stage = Literal["sft", "pt", "dpo", "kto", "orpo"]
PREFERENCE_STAGES: tuple[Stage, ...] = ("dpo", "kto", "orpo")
"""The stages that learn from preference pairs: a chosen and a rejected answer to one question."""


class TrainSpec(Frozen):
    """Everything one training run needs, and nothing it can look up."""

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["train"] = Field("train", description="What the worker is asked to do.")

    # What is trained on what
    stage: Stage = Field(
        "sft",
        description="sft: learn to answer conversations. pt: continue pre-training on plain text."
        " dpo, kto, orpo: learn from preference pairs.",
    )
    model_name_or_path: Path = Field(description="Folder of the base model (config, tokenizer, safetensors).")
    adapter_name_or_path: Path | None = Field(
        None, description="Folder of a LoRA adapter to resume from; empty: a new one."
    )
    dataset_dir: Path = Field(description="Folder with dataset_info.json, as a dataset version writes it.")
    dataset: str = Field("train", description="Entry of dataset_info.json to train on.")
    eval_dataset: str | None = Field(
        "eval", description="Entry of dataset_info.json for the held-out loss and the scores; empty: none."
    )
    val_size: float = Field(
        0.0,
        ge=0,
        description="Without eval_dataset: training rows held out instead, a share below 1 or a number"
        " of rows.",
    )
    finetuning_type: Literal["lora", "freeze", "full"] = Field(
        "lora",
        description="lora: small adapter matrices beside frozen weights. freeze: some layers."
        " full: every weight.",
    )

    # Samples
    template: TemplateName = Field(
        "auto", description="Chat template that renders a conversation. auto: the one that fits the model."
    )
    cutoff_len: int = Field(
        512,
        ge=16,
        le=131072,
        description="Longest sample in tokens; overlong decides what happens to longer ones.",
    )
    overlong: Literal["drop", "cut_chain", "error"] = Field(
        "drop",
        description="A sample longer than cutoff_len is dropped and listed, truncated inside its think chain,"
        " or stops the run.",
    )
    train_on_prompt: bool = Field(False, description="Learn the whole text; else the answers only.")
    direct_share: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the rows that is trained on a second time with an empty chain, for direct"
        " answers.",
    )
    label_weight: float = Field(
        3.0,
        ge=1,
        le=100,
        description="Loss weight of the tokens that name the category, in the think chain and after it.",
    )
    padding_free: bool | None = Field(
        None,
        description="Pack the samples of a batch end to end instead of padding them (padding-free);"
        " empty: on a GPU where the model supports it.",
    )

    # Steps
    learning_rate: float = Field(2e-4, gt=0, lt=1, description="Peak step size of the optimizer.")
    num_train_epochs: float = Field(3.0, gt=0, le=1000, description="Passes over the training rows.")
    max_steps: int = Field(-1, ge=-1, description="Stop after this many optimizer steps; -1: by epochs.")
    per_device_train_batch_size: int = Field(8, ge=1, le=4096, description="Rows a device sees at once.")
    gradient_accumulation_steps: int = Field(
        1, ge=1, le=4096, description="Batches whose gradients are accumulated before one optimizer step."
    )
    optim: OptimizerName = Field(
        "adamw_torch", description="Optimizer; the 8-bit ones keep their state in a quarter of the memory."
    )
    lr_scheduler_type: SchedulerName = Field(
        "cosine", description="Schedule of the learning rate after warmup."
    )
    lr_scheduler_kwargs: dict[str, float] = Field(
        default_factory=dict,
        description="Arguments of the schedule, such as min_lr_rate: 0.1 or num_cycles: 2.",
    )
    warmup_ratio: float = Field(
        0.06, ge=0, lt=1, description="Share of the steps in which the learning rate rises."
    )
    warmup_steps: int = Field(
        0, ge=0, description="Steps in which the learning rate rises; above 0 it overrides warmup_ratio."
    )
    weight_decay: float = Field(0.0, ge=0, le=10, description="AdamW's pull of the weights towards zero.")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients of a larger norm are clipped to it.")
    neftune_noise_alpha: float | None = Field(
        None, gt=0, le=100, description="NEFTune: noise on the embeddings while training; empty: none."
    )
    seed: int = Field(42, ge=0, lt=2**32, description="Seed of shuffling, adapter start and dropout.")

    # Preferences
    pref_beta: float = Field(
        0.1,
        gt=0,
        le=10,
        description="Beta of DPO and KTO: how hard the model is held to the reference. ORPO: weight of the"
        " odds ratio.",
    )
    pref_loss: Literal["sigmoid", "ipo", "hinge"] = Field(
        "sigmoid",
        description="Loss of DPO. sigmoid: the original. ipo: does not push a pair further apart than beta"
        " says, for few or noisy pairs. hinge: SLiC.",
    )
    pref_ftx: float = Field(
        1.0,
        ge=0,
        le=100,
        description="Weight of the chosen answer's negative log-likelihood beside the loss of DPO; without"
        " it the chosen answer may become unlikely, too.",
    )
    dpo_label_smoothing: float = Field(
        0.0, ge=0, lt=0.5, description="Share of the pairs assumed to be the wrong way round (sigmoid loss)."
    )
    kto_chosen_weight: float = Field(1.0, gt=0, le=100, description="KTO: weight of the chosen answers.")
    kto_rejected_weight: float = Field(1.0, gt=0, le=100, description="KTO: weight of the rejected answers.")
    allow_few_pairs: bool = Field(
        False, description="Train on fewer than 100 pairs, or on pairs of a single category, all the same."
    )

    # LoRA
    lora_rank: int = Field(16, ge=1, le=1024, description="Rank of each adapter matrix: its capacity.")
    lora_alpha: int | None = Field(
        None, ge=1, le=4096, description="Adapter output is scaled by alpha / rank; empty: twice the rank."
    )
    lora_dropout: float = Field(
        0.0, ge=0, lt=1, description="Share of adapter inputs dropped while training."
    )
    lora_target: str = Field(
        "all", description="all: every linear layer but the head; or module names separated by commas."
    )
    additional_target: str | None = Field(
        None,
        description="Modules that are trained in full and saved beside the adapter, such as embed_tokens;"
        " separated by commas.",
    )
    loraplus_lr_ratio: float | None = Field(
        None, ge=1, le=128, description="LoRA+: matrix B learns this many times faster than A; empty: off."
    )
    use_rslora: bool = Field(False, description="Scale by alpha / sqrt(rank), for high ranks.")
    use_dora: bool = Field(False, description="DoRA: learn direction and magnitude separately; slower.")
    pissa_init: bool = Field(
        False, description="PiSSA: start the adapter from the largest directions of the weights."
    )
    pissa_iter: int = Field(
        16, ge=-1, le=1024, description="Iterations of PiSSA's fast decomposition; -1: the exact one."
    )

    # Freeze
    freeze_trainable_layers: int = Field(
        2, ge=-1024, le=1024, description="Layers that learn: the last n, or with -n the first n."
    )
    freeze_trainable_modules: str = Field(
        "all", description="all, or modules inside those layers (self_attn, mlp), separated by commas."
    )
    freeze_extra_modules: str | None = Field(
        None,
        description="Modules outside the layers that learn, too (embed_tokens, norm, lm_head), separated by"
        " commas.",
    )

    # Memory
    quantization_bit: Literal[4, 8] | None = Field(
        None, description="QLoRA: keep the frozen weights in 4 or 8 bit; empty: as they are."
    )
    quantization_type: Literal["nf4", "fp4"] = Field(
        "nf4", description="The 4-bit data type: nf4 fits weights better than fp4."
    )
    double_quantization: bool = Field(True, description="Quantize the scales of 4-bit weights as well.")
    gradient_checkpointing: bool | None = Field(
        None,
        description="Recompute activations in the backward pass instead of keeping them; empty: only where"
        " memory is short.",
    )
    bf16: bool | None = Field(
        None, description="Compute in bfloat16; empty: on a GPU that has it. On a CPU faster, but less exact."
    )

    # Records, checkpoints, evaluation
    logging_steps: int = Field(5, ge=1, description="Steps between two points of the loss curve.")
    eval_steps: int = Field(0, ge=0, description="Steps between two held-out losses; 0: after every epoch.")
    eval_category_accuracy: bool = Field(
        True, description="Also score the categories of the held-out rows directly at each held-out loss."
    )
    early_stopping_steps: int | None = Field(
        None,
        ge=1,
        description="Stop after this many held-out points in a row without improvement; empty: never.",
    )
    load_best_model_at_end: bool = Field(
        False, description="End with the checkpoint of the best held-out point instead of the last."
    )
    metric_for_best_model: Literal["eval_loss", "category_accuracy"] = Field(
        "eval_loss", description="Criterion of the best: the lowest held-out loss, or the highest accuracy."
    )
    save_steps: int = Field(0, ge=0, description="Steps between two checkpoints; 0: only at the end.")
    save_total_limit: int | None = Field(
        2, ge=1, description="Checkpoints kept beside the best one; empty: all."
    )
    evaluate_after: tuple[AnswerMode, ...] = Field(
        ("chain", "direct"), description="Answer modes in which the held-out rows are scored after training."
    )
    eval_limit: int | None = Field(
        None, ge=1, description="Score at most this many held-out rows; empty: all."
    )
    max_new_tokens: int = Field(256, ge=8, le=32768, description="Longest generated answer in tokens.")

    @model_validator(mode="after")
    def _lora_fields_need_lora(self) -> "TrainSpec":
        names = ("adapter_name_or_path", "additional_target", "loraplus_lr_ratio", "use_dora", "use_rslora")
        given = [name for name in (*names, "pissa_init", "quantization_bit") if getattr(self, name)]
        if self.finetuning_type != "lora" and given:
            raise ValueError(
                f"{', '.join(given)}: only with finetuning_type lora; remove them or choose lora."
            )
        return self

    @model_validator(mode="after")
    def _fields_fit_together(self) -> "TrainSpec":
        if self.pissa_init and (self.quantization_bit or self.adapter_name_or_path):
            raise ValueError(
                "pissa_init changes the base weights: it needs quantization_bit empty and a new adapter."
            )
        if self.val_size and self.eval_dataset:
            raise ValueError("val_size and eval_dataset exclude each other; leave one of them empty.")
        if self.val_size >= 1 and self.val_size != int(self.val_size):
            raise ValueError("val_size is a share below 1 or a whole number of rows.")
        if self.finetuning_type == "freeze" and self.freeze_trainable_layers == 0:
            raise ValueError("freeze_trainable_layers 0 trains nothing; name how many layers learn.")
        if (self.early_stopping_steps or self.load_best_model_at_end) and not self.has_held_out:
            raise ValueError(
                "early_stopping_steps and load_best_model_at_end need held-out rows:"
                " eval_dataset or val_size."
            )
        return self

    @model_validator(mode="after")
    def _preferences_fit(self) -> "TrainSpec":
        if not self.learns_preferences:
            return self
        if self.stage != "orpo" and self.finetuning_type != "lora":
            raise ValueError(
                f"stage {self.stage} needs finetuning_type lora: its reference is the model without what"
                " the adapter learns."
            )
        if self.additional_target or "lm_head" in self.lora_target:
            raise ValueError(
                f"stage {self.stage} cannot train lm_head or whole modules beside the adapter: leave"
                " additional_target empty and lm_head out of lora_target."
            )
        if self.val_size:
            raise ValueError(
                f"val_size splits conversations; held-out rows of stage {self.stage} come from eval_dataset."
            )
        if self.overlong == "cut_chain":
            raise ValueError("cut_chain would shorten one answer of a pair; choose overlong drop or error.")
        if self.stage == "kto" and self.per_device_train_batch_size < 2:
            raise ValueError("stage kto compares the rows of a batch: per_device_train_batch_size 2 or more.")
        return self

    @property
    def learns_preferences(self) -> bool:
        """Whether the stage learns from pairs of a chosen and a rejected answer."""
        return self.stage in PREFERENCE_STAGES

    @property
    def has_held_out(self) -> bool:
        """Whether the spec names held-out rows; there may still turn out to be none."""
        return bool(self.eval_dataset) or self.val_size > 0

    @property
    def scaling_alpha(self) -> int:
        """lora_alpha, or its default of twice the rank."""
        return self.lora_alpha or 2 * self.lora_rank
