"""Encode the training and the held-out rows of a run, and split off held-out rows.

This module knows the spec and the dataset folder, not the model that learns from them.
"""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Sequence

import torch

from backend.data import rows
from backend.data.encoding import Encoded, encode_all, pack_texts, without_chain
from backend.data.pairs import EncodedPairs, encode_pairs
from backend.data.templates import Message, Renderer
from studio.contract import TrainSpec
from studio.errors import InputError
from studio.language import say
from studio.samples.canonical import exact_category, read_answer

log = logging.getLogger(__name__)


def encode_datasets(spec: TrainSpec, renderer: Renderer) -> tuple[Encoded, Encoded]:
    """Encode the training rows and the held-out rows.

    `rows` of the second are the rows of `dataset` that `val_size` holds out; it is
    None where the held-out rows are those of `eval_dataset`.

    Raises:
        InputError: nothing is left to train on, or `overlong` is error and a row is too long.
        UnreadableFile: a file or a row of it is not what the spec says.
    """
    training, held_out = _packed(spec, renderer) if spec.stage == "pt" else _encoded(spec, renderer)
    if not training.samples:
        raise InputError(
            say("没有一条样本可以训练。", "No sample is left to train on."),
            remedy=say("请增大 cutoff_len，或检查数据集。", "Raise cutoff_len, or check the dataset."),
        )
    for name, encoded in (("training", training), ("held-out", held_out)):
        cut, gone = len(encoded.shortened), len(encoded.left_out)
        log.info("%s: %d samples, %d rows shortened, %d left out", name, len(encoded.samples), cut, gone)
    return training, held_out


def encode_preferences(spec: TrainSpec, renderer: Renderer) -> tuple[EncodedPairs, Encoded]:
    """Encode the preference pairs to train on, and the conversations of `eval_dataset`.

    Raises:
        InputError: the pairs are too few, or `overlong` is error and a row is too long.
        UnreadableFile: a file or a row of it is not what the spec says.
    """
    training = encode_pairs(spec, renderer)
    held = rows.read_conversations(spec.dataset_dir, spec.eval_dataset) if spec.eval_dataset else []
    held_out = encode_all(renderer, held, cutoff_len=spec.cutoff_len, overlong=spec.overlong)
    log.info("training: %d pairs, %d left out", len(training.pairs), len(training.left_out))
    return training, held_out


def hold_out(texts: Sequence[str], groups: Sequence[object], *, size: float, seed: int) -> tuple[int, ...]:
    """Sample held-out indices, stratified by group: a share of `texts` below 1, or a number of them.

    A text is ranked by a hash of the seed and the text alone, so that a row added to the
    file moves no other row to the other side.

    Raises:
        InputError: it would leave nothing to learn from.
    """
    wanted = int(size) if size >= 1 else max(1, round(size * len(texts)))
    if wanted >= len(texts):
        raise InputError(
            say(
                f"val_size {size:g} 会留出全部 {len(texts)} 行，没有可训练的。",
                f"val_size {size:g} holds out all {len(texts)} rows and leaves none to learn from.",
            ),
            remedy=say("请减小 val_size。", "Lower val_size."),
        )
    members: dict[object, list[int]] = defaultdict(list)
    ranks = [hashlib.sha256(f"{seed}:{text}".encode()).digest() for text in texts]
    for index in sorted(range(len(texts)), key=lambda index: (ranks[index], index)):
        members[groups[index]].append(index)
    # Whole parts first, then the largest remainders; the sort is stable, so ties go by file order.
    parts = {group: wanted * len(indices) / len(texts) for group, indices in members.items()}
    quotas = {group: int(part) for group, part in parts.items()}
    order = sorted(sorted(members, key=lambda g: min(members[g])), key=lambda g: quotas[g] - parts[g])
    for group in order[: wanted - sum(quotas.values())]:
        quotas[group] += 1
    return tuple(sorted(index for group, indices in members.items() for index in indices[: quotas[group]]))


def _encoded(spec: TrainSpec, renderer: Renderer) -> tuple[Encoded, Encoded]:
    """Encode conversations, and a share of the training rows once more with an empty chain."""
    learned, held = rows.read_conversations(spec.dataset_dir, spec.dataset), []
    kept: tuple[int, ...] | None = None
    held_rows: tuple[int, ...] | None = None
    if spec.val_size:
        conversations = learned
        held_rows = _held_rows(spec, conversations)
        kept = tuple(sorted(set(range(len(conversations))) - set(held_rows)))
        learned, held = [conversations[row] for row in kept], [conversations[row] for row in held_rows]
    elif spec.eval_dataset:
        held = rows.read_conversations(spec.dataset_dir, spec.eval_dataset)
    training = encode_all(
        renderer,
        learned,
        cutoff_len=spec.cutoff_len,
        label_weight=spec.label_weight,
        train_on_prompt=spec.train_on_prompt,
        overlong=spec.overlong,
        rows=kept,
    )
    direct = _direct(spec, renderer, learned, training)
    training.samples += direct.samples
    training.sample_rows += direct.sample_rows
    training.direct = len(direct.samples)
    held_out = encode_all(renderer, held, cutoff_len=spec.cutoff_len, overlong=spec.overlong, rows=held_rows)
    return training, held_out


def _held_rows(spec: TrainSpec, conversations: Sequence[Sequence[Message]]) -> tuple[int, ...]:
    """Sample held-out rows of the training entry, stratified by category where answers are categories."""
    names = rows.dataset_scheme(spec.dataset_dir).names
    texts = ["\n".join(message["content"] for message in row) for row in conversations]
    categories = [exact_category(read_answer(row[-1]["content"]).label, names) for row in conversations]
    return hold_out(texts, categories, size=spec.val_size, seed=spec.seed)


def _direct(
    spec: TrainSpec, renderer: Renderer, learned: Sequence[list[Message]], training: Encoded
) -> Encoded:
    """Encode `direct_share` of the rows with an empty chain; of rows that were left out, none."""
    gone = set(training.left_out)
    eligible = [i for i in range(len(learned)) if (training.rows[i] if training.rows else i) not in gone]
    # A seeded draw without replacement: the same rows for the same spec.
    drawn = torch.randperm(len(eligible), generator=torch.Generator().manual_seed(spec.seed))
    chosen = [eligible[index] for index in drawn[: round(spec.direct_share * len(eligible))].tolist()]
    return encode_all(
        renderer,
        [without_chain(learned[index]) for index in chosen],
        cutoff_len=spec.cutoff_len,
        label_weight=spec.label_weight,
        train_on_prompt=spec.train_on_prompt,
        rows=[training.rows[index] if training.rows else index for index in chosen],
    )


def _packed(spec: TrainSpec, renderer: Renderer) -> tuple[Encoded, Encoded]:
    """Pack plain texts; a version's `eval` need not be there."""
    texts = list(rows.read_texts(spec.dataset_dir, spec.dataset))
    held: list[str] = []
    held_rows: tuple[int, ...] | None = None
    if spec.val_size:
        held_rows = hold_out(texts, [None] * len(texts), size=spec.val_size, seed=spec.seed)
        held = [texts[row] for row in held_rows]
        gone = set(held_rows)
        texts = [text for row, text in enumerate(texts) if row not in gone]
    elif spec.eval_dataset and rows.has_entry(spec.dataset_dir, spec.eval_dataset):
        held = list(rows.read_texts(spec.dataset_dir, spec.eval_dataset))
    packed = [list(pack_texts(renderer, part, cutoff_len=spec.cutoff_len)) for part in (texts, held)]
    return Encoded(samples=packed[0]), Encoded(samples=packed[1], rows=held_rows)
