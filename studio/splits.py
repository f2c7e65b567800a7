"""Which decided titles are learned and which are kept for evaluation.

A pure rule over titles: no store, no file, no chance that is not seeded.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence

from studio.titles import Split, Title

DEFAULT_EVAL_SHARE = 0.2


def split_titles(
    titles: Sequence[Title],
    evaluated: Collection[int],
    trained: Collection[int],
    *,
    eval_share: float | None,
    seed: int,
) -> dict[Split, list[Title]]:
    """Divide titles into train and eval; each list keeps the given order.

    In this order: a title evaluated before (`evaluated`, ids) stays in eval; one that
    the import fixed goes where it was fixed; one `trained` before stays in train. The
    rest is divided so that `eval_share` of the titles without a fixed split is
    evaluated, spread over the categories. Without a share: 0.2, or nothing where the
    import fixed eval titles.
    """
    if eval_share is None:
        eval_share = 0.0 if any(title.split == "eval" for title in titles) else DEFAULT_EVAL_SHARE
    chosen = {title.id for title in titles if title.id in evaluated or title.split == "eval"}
    free = [title for title in titles if title.split is None]
    kept = sum(title.id in chosen for title in free)
    wanted = max(0, _at_least_one(eval_share * len(free), free) - kept)
    candidates = [title for title in free if title.id not in chosen and title.id not in trained]
    for category, count in _quotas(candidates, wanted).items():
        members = sorted(
            (title for title in candidates if title.category == category),
            key=lambda title: _draw(title, seed),
        )
        chosen.update(title.id for title in members[:count])
    return {
        "train": [title for title in titles if title.id not in chosen],
        "eval": [title for title in titles if title.id in chosen],
    }


def _at_least_one(count: float, free: Sequence[Title]) -> int:
    """Half up; a share of a few titles is still one, as long as one is left to learn from."""
    return int(count + 0.5) or int(count > 0 and len(free) > 1)


def _quotas(candidates: Sequence[Title], wanted: int) -> dict[str, int]:
    """How many of each category: in proportion, largest remainders first.

    A category gives its last title only when the others have none left to give.
    """
    sizes: dict[str, int] = {}
    for title in candidates:
        assert title.category is not None, title
        sizes[title.category] = sizes.get(title.category, 0) + 1
    share = wanted / len(candidates) if candidates else 0.0
    quotas = {category: min(int(share * size), size) for category, size in sizes.items()}
    while sum(quotas.values()) < min(wanted, len(candidates)):
        quotas[_most_short(sizes, quotas, share)] += 1
    return quotas


def _most_short(sizes: Mapping[str, int], quotas: Mapping[str, int], share: float) -> str:
    def shortage(category: str) -> tuple[bool, float, int]:
        left = sizes[category] - quotas[category]
        return left > 1, share * sizes[category] - quotas[category], sizes[category]

    return max((category for category in sizes if quotas[category] < sizes[category]), key=shortage)


def _draw(title: Title, seed: int) -> bytes:
    """A title's lot: the same in every store, and independent of the other titles."""
    return hashlib.sha256(f"{seed}:{title.text}".encode()).digest()
