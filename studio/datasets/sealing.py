"""Set titles aside for a sealed evaluation set, and keep them and their near copies out of every version.

A pure rule over titles. A sealed set shall tell how a model does on titles that no choice was made on: it
is drawn from titles that no version has trained or evaluated on, one whole near-duplicate group at a time.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from studio.corpus.titles import Title
from studio.datasets.splits import in_file_order, near_title_groups, quotas, sample_whole_groups


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealing:
    """Titles by what becomes of them.

    `sealed` are set aside now, the `share` that was asked for; `held_back` were sealed before, or are near
    copies of such; `rest` are split into train and eval. `used` counts the titles that could not be drawn,
    since a version has used them or a near copy.
    """

    sealed: tuple[Title, ...]
    held_back: tuple[Title, ...]
    rest: tuple[Title, ...]
    share: float | None = None
    used: int = 0


def seal_titles(
    titles: Sequence[Title],
    earlier: Sequence[Title],
    used: Collection[int],
    *,
    share: float | None,
    seed: int,
) -> Sealing:
    """Hold back what is sealed, and set a share of the titles aside.

    Args:
        titles: all that are to be frozen.
        earlier: the titles of every sealed set, frozen now or not.
        used: ids of titles that a version has trained or evaluated on, or that are to be evaluated.
        share: of all titles, stratified by category; None: seal nothing more.
        seed: which titles the share picks.
    """
    if not earlier and share is None:
        return Sealing(sealed=(), held_back=(), rest=tuple(titles))
    before, known = {title.id for title in earlier}, {title.id for title in titles}
    together = in_file_order([*titles, *(title for title in earlier if title.id not in known)])
    groups = near_title_groups(together)
    back = before | _neighbours(groups, before)
    barred = set(used) | _neighbours(groups, set(used)) | back
    candidates = [title for title in together if title.id in known and title.id not in barred]
    wanted = 0 if share is None else max(1, int(share * len(titles) + 0.5))
    chosen = sample_whole_groups(candidates, groups, quotas(candidates, wanted), seed)
    return Sealing(
        sealed=tuple(title for title in together if title.id in chosen),
        held_back=tuple(title for title in titles if title.id in back),
        rest=tuple(title for title in titles if title.id not in back | chosen),
        share=share,
        used=len(known & (barred - back)),
    )


def _neighbours(groups: Sequence[Sequence[Title]], ids: set[int]) -> set[int]:
    """Return the ids of the titles that are near copies of these."""
    found: set[int] = set()
    for group in groups:
        members = {title.id for title in group}
        if members & ids:
            found |= members
    return found - ids
