"""Judge whether preference pairs are enough to train on. Pure: knows categories, no file."""

from collections.abc import Sequence

from studio.errors import InputError
from studio.language import say

FEWEST_PAIRS = 100


def too_few(chosen: Sequence[str]) -> tuple[str, str] | None:
    """Say why pairs with these chosen categories are too few to train on, in both languages; None: enough."""
    if len(chosen) < FEWEST_PAIRS:
        return (
            f"只有 {len(chosen)} 个偏好对，少于 {FEWEST_PAIRS} 个时学到的多半是偶然。",
            f"There are only {len(chosen)} pairs; with fewer than {FEWEST_PAIRS}, what is learned is"
            " mostly chance.",
        )
    if len(set(chosen)) == 1:
        return (
            f"所有偏好对选中的都是“{chosen[0]}”：模型只会学着总答它。",
            f"Every pair chooses “{chosen[0]}”: the model would only learn to answer that.",
        )
    return None


def require_enough(chosen: Sequence[str]) -> None:
    """Refuse pairs that are too few, or of a single category.

    Raises:
        InputError: with what to do instead.
    """
    reason = too_few(chosen)
    if reason is not None:
        raise InputError(
            say(*reason),
            remedy=say(
                "请多收集一些（复核、改草稿、报错都会产生），或设 allow_few_pairs: true 照样训练。",
                "Collect more (reviews, edited drafts and reports make them), or set allow_few_pairs: true"
                " to train all the same.",
            ),
        )
