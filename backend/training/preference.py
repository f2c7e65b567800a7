"""Train on preference pairs with TRL: DPO (sigmoid, IPO, hinge; with NLL), KTO, ORPO.

TRL computes the losses; ours are the tokens, the order of the batches, the curve, checkpoints and
stopping. The reference is the model as training starts: a new adapter switched off, or a frozen copy
of the adapter that is trained on. TRL imports for seconds, so this module is imported only where pairs
are trained on.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # ORPO is there, and nowhere else

import torch
from datasets import Dataset as ArrowDataset
from peft import PeftModel
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase, TrainingArguments
from trl.experimental.orpo import ORPOConfig, ORPOTrainer
from trl.experimental.utils import DPODataCollatorWithPadding
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference, KTOTrainer

from backend.data.encoding import PaddingCollator, Sample
from backend.data.pairs import TokenPair
from backend.training.arguments import OneDevice, training_arguments
from backend.training.controlled_trainer import ControlledTrainer
from studio.contract import TrainSpec

Row = dict[str, Any]
"""A pair, or one answer of it, as lists of token ids, under the names of one trainer of TRL."""

REFERENCE = "ref"
"""TRL's name for the frozen copy of the adapter."""


class PreferenceTrainer(ControlledTrainer):
    """Goes before a trainer of TRL: gives it tokenized rows in our order, and keeps what it would send."""

    rows: Sequence[Row]
    lengths: Sequence[int]

    def training_lengths(self) -> list[int]:
        """Count the tokens of each training row."""
        return list(self.lengths)

    def training_rows(self) -> Dataset[Any]:
        """Return the training rows by their number."""
        return _Rows(self.rows)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], Tensor | None]:
        """Take the batches of one optimizer step, and count their tokens and rows over all devices."""
        batches = [batch for _, batch in zip(range(num_batches), epoch_iterator, strict=False)]
        counts = sum((_counts(batch) for batch in batches), start=torch.zeros(2, dtype=torch.float64))
        moved = counts.to(device)
        self.seen += self.accelerator.reduce(moved) if self.args.world_size > 1 else moved
        return batches, None

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset  # tokenized already

    def _send_telemetry(self) -> None:
        """Send nothing: TRL would tell its hub which trainer runs."""


class _DPOTrainer(PreferenceTrainer, DPOTrainer):
    pass


class _KTOTrainer(PreferenceTrainer, KTOTrainer):
    pass


class _ORPOTrainer(PreferenceTrainer, ORPOTrainer):
    pass


class _DPOArguments(OneDevice, DPOConfig):
    pass


class _KTOArguments(OneDevice, KTOConfig):
    pass


class _ORPOArguments(OneDevice, ORPOConfig):
    pass


def preference_trainer(
    spec: TrainSpec,
    output: Path,
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[TokenPair],
    held_out: Sequence[Sample],
    *,
    checkpointing: bool,
    optimizers: tuple[Any, Any],
) -> PreferenceTrainer:
    """Build TRL's trainer of the spec's stage on tokenized pairs.

    Args:
        spec: of stage dpo, kto or orpo.
        output: the run folder.
        model: trainable, with its adapter; a frozen copy of that is added where it is the reference.
        tokenizer: of the model; it renders nothing here.
        pairs: to learn from.
        held_out: conversations of the held-out loss, which is that of fine-tuning.
        checkpointing: whether activations are computed twice instead of kept.
        optimizers: optimizer and schedule.
    """
    make = {"dpo": _dpo, "kto": _kto, "orpo": _orpo}[spec.stage]
    rows, lengths, kind, collator, more = make(spec, pairs, int(tokenizer.pad_token_id))
    arguments = training_arguments(
        spec, output, has_held_out=bool(held_out), checkpointing=checkpointing, kind=_ARGUMENTS[kind], **more
    )
    trainer = kind(
        model=model,
        args=arguments,
        data_collator=collator,
        train_dataset=_as_trl_wants(rows, spec),
        eval_dataset=_Mapped(held_out) if held_out else None,
        processing_class=tokenizer,
        optimizers=optimizers,
    )
    trainer.rows, trainer.lengths = rows, lengths
    trainer.held_out_collator = PaddingCollator(int(tokenizer.pad_token_id))
    _drop_needless_reference(model, spec)
    return trainer


def _drop_needless_reference(model: nn.Module, spec: TrainSpec) -> None:
    """Remove TRL's copy of a new adapter: switched off, that is the reference without a copy."""
    is_identity = spec.adapter_name_or_path is None and not spec.pissa_init
    if is_identity and isinstance(model, PeftModel) and REFERENCE in model.peft_config:
        PeftModel.delete_adapter(model, REFERENCE)


_Made = tuple[list[Row], list[int], type[PreferenceTrainer], Any, dict[str, Any]]


def _dpo(spec: TrainSpec, pairs: Sequence[TokenPair], pad_token_id: int) -> _Made:
    rows = [
        {"prompt_ids": pair.prompt, "chosen_ids": pair.chosen, "rejected_ids": pair.rejected}
        for pair in pairs
    ]
    losses: list[str] = [spec.pref_loss, "sft"] if spec.pref_ftx else [spec.pref_loss]
    weights = [1.0, spec.pref_ftx] if spec.pref_ftx else [1.0]
    more = {
        "beta": spec.pref_beta,
        "loss_type": losses,
        "loss_weights": weights,
        "label_smoothing": spec.dpo_label_smoothing,
        "max_length": None,
    }
    collator = DataCollatorForPreference(pad_token_id=pad_token_id)
    return rows, [pair.length for pair in pairs], _DPOTrainer, collator, more


def _kto(spec: TrainSpec, pairs: Sequence[TokenPair], pad_token_id: int) -> _Made:
    rows: list[Row] = [
        {"prompt_ids": pair.prompt, "completion_ids": answer, "label": is_chosen}
        for pair in pairs
        for answer, is_chosen in ((pair.chosen, True), (pair.rejected, False))
    ]
    lengths = [len(row["prompt_ids"]) + len(row["completion_ids"]) for row in rows]
    more = {
        "beta": spec.pref_beta,
        "desirable_weight": spec.kto_chosen_weight,
        "undesirable_weight": spec.kto_rejected_weight,
        "max_length": None,
        # TRL pairs prompts with foreign answers in the order of the file; ours does within each batch.
        "train_sampling_strategy": "sequential",
    }
    return rows, lengths, _KTOTrainer, _MismatchingCollator(pad_token_id=pad_token_id), more


def _orpo(spec: TrainSpec, pairs: Sequence[TokenPair], pad_token_id: int) -> _Made:
    rows = []
    for pair in pairs:
        row: Row = _masked("prompt", pair.prompt)
        for name, answer in (("chosen", pair.chosen), ("rejected", pair.rejected)):
            row |= _masked(name, pair.prompt + answer)
            row[f"{name}_labels"] = [-100] * len(pair.prompt) + answer
        rows.append(row)
    more = {"beta": spec.pref_beta, "max_length": spec.cutoff_len}
    collator = DPODataCollatorWithPadding(pad_token_id=pad_token_id)
    return rows, [pair.length for pair in pairs], _ORPOTrainer, collator, more


def _masked(name: str, ids: list[int]) -> Row:
    return {f"{name}_input_ids": ids, f"{name}_attention_mask": [1] * len(ids)}


_ARGUMENTS: dict[type[PreferenceTrainer], type[TrainingArguments]] = {
    _DPOTrainer: _DPOArguments,
    _KTOTrainer: _KTOArguments,
    _ORPOTrainer: _ORPOArguments,
}


class _MismatchingCollator(DataCollatorForUnpairedPreference):
    """Pairs each prompt of a batch with the answer to another one: KTO's estimate of the divergence."""

    def torch_call(self, examples: list[Row]) -> Row:
        others = [*examples[-1:], *examples[:-1]]
        mixed = [
            {**example, "KL_completion_ids": other["completion_ids"]}
            for example, other in zip(examples, others, strict=True)
        ]
        found: Row = super().torch_call(mixed)
        return found


class _Rows(Dataset[Row]):
    """Rows by number; a process that has none left gets another one's again, as DistributedSampler does."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> Row:
        return self.rows[row if row >= 0 else ~row]


class _Mapped(list[Any]):
    """A list whose `map` does nothing: ORPO maps what it is given, and this is tokenized already."""

    def map(self, *_: Any, **__: Any) -> "_Mapped":
        return self


def _as_trl_wants(rows: list[Row], spec: TrainSpec) -> Any:
    return _Mapped(rows) if spec.stage == "orpo" else ArrowDataset.from_list(rows)


def _counts(batch: Row) -> Tensor:
    """Count the tokens and the rows of a batch, without padding. (2,)."""
    tokens = sum(int(mask.sum()) for name, mask in batch.items() if name in _MASKS)
    return torch.tensor([tokens, _rows_of(batch)], dtype=torch.float64)


_MASKS = ("attention_mask", "chosen_attention_mask", "rejected_attention_mask")


def _rows_of(batch: Row) -> int:
    if "label" in batch:
        return len(batch["label"])
    if "chosen_input_ids" in batch:
        return len(batch["chosen_input_ids"])
    return len(batch["input_ids"]) // 2
