"""Split titles into train and eval, stratified by category, near duplicates on one side.

A pure rule over titles: no store, no file, no randomness without a seed. Near copies of
a title report the same event: a model that has learned one has nearly learned the other, so
a near-duplicate group falls on one side. Titles that follow one pattern (第 1 条…, 第 2 条…)
only look alike.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from studio.corpus.titles import Title
from studio.samples.similarity import LARGEST_NEAR_GROUP, group_near
from studio.samples.title_text import Split, title_key

DEFAULT_EVAL_SHARE = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitOptions:
    """How titles are to be split.

    `eval_share` of the titles without a fixed split is evaluated; None: 0.2, or nothing
    where the import or a list fixes what is evaluated. `seed` decides which. `eval_titles`,
    a fixed list, are evaluated. `resplit` forgets what earlier versions and the import
    fixed.
    """

    eval_share: float | None = None
    seed: int = 42
    eval_titles: tuple[str, ...] = ()
    resplit: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Division:
    """Titles by split, and what a person should know about them; every tuple holds titles' ids.

    `joined`: evaluated because a near copy is. `moved`: trained on in an earlier version,
    evaluated now. `returned`: evaluated in an earlier version, trained on now. `near_groups`:
    groups of near copies. `divided`: those on both sides. `unknown`: listed texts that no
    decided title has.
    """

    splits: Mapping[Split, list[Title]]
    near_groups: tuple[tuple[int, ...], ...] = ()
    joined: tuple[int, ...] = ()
    moved: tuple[int, ...] = ()
    returned: tuple[int, ...] = ()
    divided: tuple[tuple[int, ...], ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(slots=True)
class _Fixed:
    """Ids whose side is settled before anything is drawn."""

    evaluated: set[int] = field(default_factory=set)
    trained: set[int] = field(default_factory=set)


def in_file_order(titles: Sequence[Title]) -> list[Title]:
    """Shuffle titles into the order of a version's files: by the hash of their text.

    The order of the work and the ids do not show, and the first n rows, which is what
    LLaMA-Factory's `max_samples` takes, are a fair sample over the categories.
    """
    return sorted(titles, key=lambda title: hashlib.sha256(f"news{title.text}".encode()).digest())


def split_titles(
    titles: Sequence[Title], evaluated: Collection[int], trained: Collection[int], options: SplitOptions
) -> Division:
    """Split titles into train and eval, each in file order.

    In this order: a listed title is evaluated; one evaluated before (`evaluated`, ids)
    stays in eval; one that the import fixed goes where it was fixed; one `trained`
    before stays in train. Then near copies follow their group. The rest is sampled,
    stratified by category, one near-duplicate group at a time.
    """
    titles = in_file_order(titles)
    listed, unknown = _listed(titles, options.eval_titles)
    fixed = _fixed_sides(titles, listed, evaluated, trained, options.resplit)
    near_groups = near_title_groups(titles)
    joined = _follow_their_near_group(near_groups, fixed)
    chosen = fixed.evaluated | _sample(titles, near_groups, fixed, listed, options)
    return Division(
        splits={
            "train": [title for title in titles if title.id not in chosen],
            "eval": [title for title in titles if title.id in chosen],
        },
        near_groups=tuple(tuple(title.id for title in group) for group in near_groups),
        joined=tuple(sorted(joined)),
        moved=tuple(title.id for title in titles if title.id in chosen and title.id in trained),
        returned=tuple(title.id for title in titles if title.id not in chosen and title.id in evaluated),
        divided=_divided(near_groups, chosen),
        unknown=unknown,
    )


def _listed(titles: Sequence[Title], texts: Sequence[str]) -> tuple[set[int], tuple[str, ...]]:
    """Resolve listed texts to title ids; returns also the texts that match no title."""
    if not texts:
        return set(), ()
    by_key = {title_key(title.text): title.id for title in titles}
    found = {text: by_key.get(title_key(text)) for text in texts}
    unknown = tuple(text for text, title_id in found.items() if title_id is None)
    return {title_id for title_id in found.values() if title_id is not None}, unknown


def _fixed_sides(
    titles: Sequence[Title],
    listed: set[int],
    evaluated: Collection[int],
    trained: Collection[int],
    resplit: bool,
) -> _Fixed:
    fixed = _Fixed(evaluated=set(listed))
    for title in titles:
        if title.id in listed or resplit:
            continue
        if title.id in evaluated or title.split == "eval":
            fixed.evaluated.add(title.id)
        elif title.id in trained or title.split == "train":
            fixed.trained.add(title.id)
    return fixed


def near_title_groups(titles: Sequence[Title]) -> list[list[Title]]:
    """Find the near-duplicate groups that are small enough to be about one event."""
    groups = group_near([title.text for title in titles])
    return [[titles[index] for index in group] for group in groups if len(group) <= LARGEST_NEAR_GROUP]


def _follow_their_near_group(near_groups: Sequence[Sequence[Title]], fixed: _Fixed) -> set[int]:
    """Assign the free copies of a fixed title to its side; return those that joined the evaluation.

    Learning a copy of an evaluated title would flatter the score; evaluating one more row
    costs nothing. Where a group is on both sides already, its free titles stay free.
    """
    joined: set[int] = set()
    for group in near_groups:
        ids = {title.id for title in group}
        evaluated, trained = bool(ids & fixed.evaluated), bool(ids & fixed.trained)
        if evaluated and not trained:
            joined |= ids - fixed.evaluated
        elif trained and not evaluated:
            fixed.trained |= ids
    fixed.evaluated |= joined
    return joined


def _sample(
    titles: Sequence[Title],
    near_groups: Sequence[Sequence[Title]],
    fixed: _Fixed,
    listed: set[int],
    options: SplitOptions,
) -> set[int]:
    """Sample the eval titles that nothing fixes; returns their ids."""
    free = [title for title in titles if options.resplit or title.split is None]
    share = options.eval_share
    if share is None:
        settled = bool(listed) or (not options.resplit and any(title.split == "eval" for title in titles))
        share = 0.0 if settled else DEFAULT_EVAL_SHARE
    kept = sum(title.id in fixed.evaluated for title in free)
    wanted = max(0, _at_least_one(share * len(free), free) - kept)
    settled_ids = fixed.evaluated | fixed.trained
    candidates = [title for title in free if title.id not in settled_ids]
    return _sample_near_groups(candidates, near_groups, quotas(candidates, wanted), options.seed)


def _sample_near_groups(
    candidates: Sequence[Title], near_groups: Sequence[Sequence[Title]], parts: Mapping[str, int], seed: int
) -> set[int]:
    """Sample whole near-duplicate groups.

    Where that leaves less than half of what is wanted, hardly a title is without a near copy: then titles
    are sampled one by one.
    """
    chosen = sample_whole_groups(candidates, near_groups, parts, seed)
    if 2 * len(chosen) >= sum(parts.values()):
        return chosen
    return _fill_quotas([[title] for title in _by_rank(candidates, seed)], parts)


def sample_whole_groups(
    candidates: Sequence[Title], near_groups: Sequence[Sequence[Title]], parts: Mapping[str, int], seed: int
) -> set[int]:
    """Sample whole near-duplicate groups within the quotas of their categories, then within their sum."""
    wanted = sum(parts.values())
    units = _units(_by_rank(candidates, seed), near_groups)
    chosen = _fill_quotas(units, parts)
    for unit in units:
        if unit[0].id not in chosen and len(chosen) + len(unit) <= wanted:
            chosen.update(title.id for title in unit)
    return chosen


def _by_rank(candidates: Sequence[Title], seed: int) -> list[Title]:
    ranks = {title.id: _rank(title, seed) for title in candidates}
    return sorted(candidates, key=lambda title: ranks[title.id])


def _units(ordered: Sequence[Title], near_groups: Sequence[Sequence[Title]]) -> list[list[Title]]:
    """Group the candidates into sampling units: a near-duplicate group, or a title alone; by rank."""
    candidates = {title.id for title in ordered}
    together: dict[int, list[Title]] = {}
    for group in near_groups:
        members = [title for title in group if title.id in candidates]
        together.update((title.id, members) for title in members)
    # A group has the rank of its first title.
    return [members for title in ordered if (members := together.get(title.id, [title]))[0].id == title.id]


def _fill_quotas(units: Sequence[Sequence[Title]], parts: Mapping[str, int]) -> set[int]:
    """Choose units in order, each one whole, while every category in it has quota left."""
    left = dict(parts)
    taken: set[int] = set()
    for unit in units:
        needs = Counter(title.category for title in unit if title.category is not None)
        if all(left[category] >= count for category, count in needs.items()):
            taken.update(title.id for title in unit)
            for category, count in needs.items():
                left[category] -= count
    return taken


def _divided(near_groups: Sequence[Sequence[Title]], chosen: set[int]) -> tuple[tuple[int, ...], ...]:
    sides = ((group, sum(title.id in chosen for title in group)) for group in near_groups)
    return tuple(
        tuple(title.id for title in group) for group, evaluated in sides if 0 < evaluated < len(group)
    )


def _at_least_one(count: float, free: Sequence[Title]) -> int:
    """Round half up; a share of a few titles is still one, as long as one is left to train on."""
    return int(count + 0.5) or int(count > 0 and len(free) > 1)


def quotas(candidates: Sequence[Title], wanted: int) -> dict[str, int]:
    """Apportion `wanted` over the categories in proportion, by largest remainder.

    A category gives its last title only when the others have none left to give.
    """
    sizes: dict[str, int] = {}
    for title in candidates:
        assert title.category is not None, title
        sizes[title.category] = sizes.get(title.category, 0) + 1
    share = wanted / len(candidates) if candidates else 0.0
    parts = {category: min(int(share * size), size) for category, size in sizes.items()}
    while sum(parts.values()) < min(wanted, len(candidates)):
        parts[_most_short(sizes, parts, share)] += 1
    return parts


def _most_short(sizes: Mapping[str, int], parts: Mapping[str, int], share: float) -> str:
    def shortage(category: str) -> tuple[bool, float, int]:
        left = sizes[category] - parts[category]
        return left > 1, share * sizes[category] - parts[category], sizes[category]

    return max((category for category in sizes if parts[category] < sizes[category]), key=shortage)


def _rank(title: Title, seed: int) -> bytes:
    """Hash a title with the seed: its rank in the sample, the same in every store and beside any titles."""
    return hashlib.sha256(f"{seed}:{title.text}".encode()).digest()
