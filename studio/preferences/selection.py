"""Select preference pairs: near duplicates once, titles that are evaluated never; filter and count."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from studio.corpus.near_duplicates import near_representatives
from studio.formats.reader import read_entry
from studio.preferences.collecting import collect
from studio.preferences.pairs import KINDS, Form, Kind, PreferencePair
from studio.preferences.run_pairs import collect_from_runs
from studio.preferences.sampling import read_samples, sampled_pairs
from studio.samples.canonical import read_question
from studio.samples.scheme import Scheme, load_scheme
from studio.samples.title_text import title_key
from studio.store import Store
from studio.workspace import BUNDLED_DATASET, Workspace


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The pairs to train on, and how many were left out: near duplicates, and titles that are evaluated."""

    pairs: tuple[PreferencePair, ...]
    near_duplicates: int = 0
    evaluated: int = 0

    @property
    def by_kind(self) -> dict[Kind, int]:
        """Count the pairs of each kind; kinds without any are 0."""
        counts = Counter(pair.kind for pair in self.pairs)
        return {kind: counts[kind] for kind in KINDS}

    @property
    def by_category(self) -> dict[str, int]:
        """Count the pairs by the category that was chosen, the most frequent first."""
        return dict(Counter(pair.chosen.category for pair in self.pairs).most_common())

    @property
    def by_confused(self) -> dict[tuple[str, str], int]:
        """Count the pairs by what was confused, right category first, the most frequent first."""
        return dict(Counter(pair.confused for pair in self.pairs if pair.confused).most_common())

    def filtered(self, wanted: "PairFilter") -> "Selection":
        """Keep the pairs that pass a filter."""
        return replace(self, pairs=tuple(pair for pair in self.pairs if wanted.matches(pair)))

    def to_json(self) -> dict[str, Any]:
        """Build the counts of `pairs list --json` and of a version."""
        return {
            "pairs": len(self.pairs),
            "by_kind": self.by_kind,
            "by_category": self.by_category,
            "by_confused": [
                {"chosen": right, "rejected": wrong, "pairs": count}
                for (right, wrong), count in self.by_confused.items()
            ],
            "left_out": {"near_duplicates": self.near_duplicates, "evaluated": self.evaluated},
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class PairFilter:
    """Which pairs somebody wants to see; what is empty filters nothing."""

    kinds: frozenset[Kind] = field(default_factory=frozenset)
    category: str = ""
    rejected: str = ""
    person: str = ""
    form: Form | None = None
    text: str = ""

    def matches(self, pair: PreferencePair) -> bool:
        """Whether a pair passes."""
        wanted = (
            not self.kinds or pair.kind in self.kinds,
            self.category in ("", pair.chosen.category),
            self.rejected in ("", pair.rejected.category),
            self.person in ("", pair.person),
            self.form in (None, pair.form),
            self.text.casefold() in pair.title.casefold(),
        )
        return all(wanted)


def select(
    db: Store,
    workspace: Workspace,
    *,
    run_ids: Sequence[str] = (),
    sample_ids: Sequence[str] = (),
    scheme: Scheme | None = None,
) -> Selection:
    """Collect all pairs and select what can be trained on.

    Of pairs about near duplicates that confuse the same two categories the first counts, by the order of
    KINDS and then the newest. Titles that some version evaluates, and their near duplicates, are left
    out: a model that has learned their answer would be scored too high.

    Args:
        db: the store.
        workspace: where the runs are.
        run_ids: runs that are held against each other.
        sample_ids: jobs that sampled answers.
        scheme: that the chains of samples are linted by; None: the bundled one.

    Raises:
        InputError: runs that cannot be held against each other, or jobs without samples.
        RunFailed: a sampling job is not done.
    """
    found = collect(db) + (collect_from_runs(db, workspace, run_ids) if run_ids else [])
    for job_id in dict.fromkeys(sample_ids):
        found += sampled_pairs(db, read_samples(workspace, job_id), scheme or load_scheme())
    groups = _groups(db, found)
    evaluated = _evaluated(db, groups)
    kept: dict[tuple[object, ...], PreferencePair] = {}
    counts: Counter[str] = Counter()
    for pair in sorted(found, key=lambda pair: KINDS.index(pair.kind)):
        group = groups[_key(pair)]
        if group in evaluated or _key(pair) in evaluated:
            counts["evaluated"] += 1
            continue
        same = (group, pair.form, pair.chosen.category, pair.rejected.category, _wording(pair))
        counts["near"] += same in kept
        if same not in kept or (kept[same].kind == pair.kind and kept[same].at < pair.at):
            kept[same] = pair
    return Selection(
        pairs=tuple(sorted(kept.values(), key=lambda pair: (KINDS.index(pair.kind), pair.at, pair.title))),
        near_duplicates=counts["near"],
        evaluated=counts["evaluated"],
    )


def _wording(pair: PreferencePair) -> str:
    """Tell edits of one category apart by what was edited; of others the categories say enough."""
    return "" if pair.confused else title_key(pair.rejected.chain or "")


def _key(pair: PreferencePair) -> str:
    return title_key(pair.title)


def _groups(db: Store, pairs: Iterable[PreferencePair]) -> dict[str, object]:
    """Map the key of each title to its near-duplicate group; of an unknown title, to the key itself."""
    ids = {_key(pair): pair.title_id for pair in pairs}
    groups = near_representatives(db, [title_id for title_id in ids.values() if title_id is not None])
    return {key: key if title_id is None else groups[title_id] for key, title_id in ids.items()}


def _evaluated(db: Store, groups: dict[str, object]) -> set[object]:
    """Find the groups, and the keys of titles, that some version or the bundled data evaluates."""
    ids = [
        title_id
        for (title_id,) in db.execute(
            "select title_id from version_rows where split = 'eval'"
            " union select id from titles where split = 'eval'"
        ).fetchall()
    ]
    bundled = _bundled_eval_keys()
    return {*near_representatives(db, ids).values(), *(key for key in groups if key in bundled)}


@lru_cache(maxsize=1)
def _bundled_eval_keys() -> frozenset[str]:
    prompt = load_scheme().prompt
    rows = read_entry(BUNDLED_DATASET, "eval").rows
    return frozenset(title_key(read_question(row.question or "", prompt)[0]) for row in rows)
