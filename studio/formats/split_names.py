"""Infer the split of a file or entry from the words of its name."""

from studio.samples.title_text import Split

EVAL_NAMES = ("eval", "test", "valid", "validation", "val", "dev")
TRAIN_NAMES = ("train", "training")


def split_of(name: str) -> Split | None:
    """Infer the split from any word of a file or entry name; None where none of them tells."""
    words = set(name.lower().replace("-", "_").replace(".", "_").split("_"))
    if not words.isdisjoint(EVAL_NAMES):
        return "eval"
    return None if words.isdisjoint(TRAIN_NAMES) else "train"
