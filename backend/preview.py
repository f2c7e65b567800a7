"""Count and show the tokens that training would see: `python -m backend.preview RUN_FOLDER`.

Reads spec.json; writes preview.json and, last, result.json. The tokens come from the
very functions that training calls, so they are what is trained; no model is loaded.
"""

import sys
from collections.abc import Sequence
from typing import Any

from backend.data import rows
from backend.data.encoding import IGNORED, Sample, encode_parts, without_chain
from backend.data.templates import Message, Renderer
from backend.modeling.tokenizers import load_tokenizer
from backend.worker import Cancelled, RunFolder, run_worker
from studio.contract import Piece, PreviewFile, PreviewSpec, Progress, SeenRow

PROGRESS_ROWS = 2000
"""Rows between two progress events: about half a second."""
_HALF = "\ufffd"
"""What a tokenizer decodes half of a character to."""


def preview(folder: RunFolder) -> dict[str, Any]:
    """Write the token preview that the folder's spec asks for."""
    spec = folder.read_spec()
    assert isinstance(spec, PreviewSpec), spec.kind
    renderer = Renderer(load_tokenizer(spec.model_name_or_path), spec.template)
    entries = {name: rows.read_conversations(spec.dataset_dir, name) for name in spec.count}
    lengths = count_tokens(folder, renderer, entries)
    shown = rows.read_conversations(spec.dataset_dir, spec.dataset) if spec.rows else []
    seen = [
        preview_row(renderer, row, shown[row], label_weight=spec.label_weight)
        for row in spec.rows
        if row < len(shown)
    ]
    folder.write("preview.json", PreviewFile(template=renderer.name, lengths=lengths, rows=tuple(seen)))
    return {}


def count_tokens(
    folder: RunFolder, renderer: Renderer, entries: dict[str, list[list[Message]]]
) -> dict[str, tuple[int, ...]]:
    """Count the tokens of every row, as `cutoff_len` does."""
    total, done = sum(map(len, entries.values())), 0
    lengths: dict[str, tuple[int, ...]] = {}
    for name, conversations in entries.items():
        counted = []
        for messages in conversations:
            if done % PROGRESS_ROWS == 0:
                if folder.cancel_requested:
                    raise Cancelled
                folder.emit(Progress(phase="loading", done=done, total=total))
            counted.append(max(len(part["input_ids"]) for part in encode_parts(renderer, messages)))
            done += 1
        lengths[name] = tuple(counted)
    return lengths


def preview_row(renderer: Renderer, row: int, messages: Sequence[Message], *, label_weight: float) -> SeenRow:
    """Encode a row as training does, and split it into readable pieces.

    Where it is trained as several samples, they follow each other.
    """

    def seen(conversation: Sequence[Message]) -> tuple[Piece, ...]:
        parts = encode_parts(renderer, conversation, label_weight=label_weight)
        return tuple(piece for sample in parts for piece in split_pieces(renderer, sample))

    return SeenRow(row=row, chain=seen(messages), direct=seen(without_chain(messages)))


def split_pieces(renderer: Renderer, sample: Sample) -> tuple[Piece, ...]:
    """Split a sample into its tokens; those that only together make a character are one piece."""
    found: list[Piece] = []
    pending: list[int] = []
    ids, labels, weights = (sample[key].tolist() for key in ("input_ids", "labels", "weights"))
    for index, token in enumerate(ids):
        pending.append(token)
        text = str(renderer.tokenizer.decode(pending, clean_up_tokenization_spaces=False))
        learned, weight = labels[index] != IGNORED, weights[index]
        is_last = index + 1 == len(ids) or (labels[index + 1] != IGNORED) != learned
        if is_last or not text.endswith(_HALF):
            found.append(Piece(text=text, ids=tuple(pending), learned=learned, weight=weight))
            pending = []
    return tuple(found)


if __name__ == "__main__":
    sys.exit(run_worker(preview))
