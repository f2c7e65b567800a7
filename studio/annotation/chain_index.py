"""Index the written think chains in memory: find the nearest and the clauses that repeat.

One index a process, shared by all sessions. It reads a category when first asked about
it, and from then on only what was decided since. This module judges no single chain.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field

from rapidfuzz import fuzz, process

from studio.language import say
from studio.samples.chain_clauses import MOSTLY_FORM, OFTEN, mostly_form, skeleton
from studio.samples.chain_lint import ChainRemark
from studio.samples.scheme import Scheme
from studio.store import Store

NEWEST = 10_000
"""The newest chains of a category are compared; a fresh chain is likest to its neighbours in time."""
TOO_CLOSE = 80.0
"""Percent (rapidfuzz `ratio`). Two chains about different titles share some words, never four of five."""

CANDIDATES, GLANCES = 50, 20_000
"""Compared in full: the chains that share most of the rarest bigrams, of so many entries looked at.
Comparing with all 10,000 took 70 to 160 ms, which a pause in the typing must not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Nearest:
    """The chain most like another one; `similarity` in percent."""

    title_id: int
    similarity: float


@dataclass
class _Shelf:
    """The chains of one category, how many of them have each clause, and which have each bigram.

    A chain that went leaves its entries in `pairs`; whoever reads them looks it up.
    """

    chains: dict[int, str] = field(default_factory=dict)
    clauses: Counter[str] = field(default_factory=Counter)
    pairs: dict[str, list[int]] = field(default_factory=dict)


class WrittenChains:
    """An index over the decided chains of one workspace; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shelves: dict[str, _Shelf] = {}
        self._seen = 0

    def findings(
        self, db: Store, title_id: int, chain: str, category: str, scheme: Scheme
    ) -> list[ChainRemark]:
        """Remarks where a chain is too close to those written for other titles of its category."""
        with self._lock:
            shelf = self._shelf(db, category, scheme)
            near = _nearest(shelf, title_id, chain)
            share = _share_of_form(shelf, title_id, chain, scheme)
        found = []
        if near is not None:
            found.append(_too_close(near))
        if share >= MOSTLY_FORM:
            found.append(mostly_form(share))
        return found

    def _shelf(self, db: Store, category: str, scheme: Scheme) -> _Shelf:
        latest = db.execute("select coalesce(max(id), 0) from decisions").fetchone()[0]
        if latest < self._seen:
            self._shelves.clear()  # another database, or a backup that was restored
        elif latest > self._seen and self._shelves:
            self._follow(db, scheme)
        self._seen = latest
        if category not in self._shelves:
            self._shelves[category] = shelf = _Shelf()
            for title_id, chain in _chains(db, category):
                _put(shelf, title_id, chain, scheme)
        return self._shelves[category]

    def _follow(self, db: Store, scheme: Scheme) -> None:
        """Bring the shelves up to what was decided since."""
        rows = db.execute(
            "select distinct states.title_id, states.status, states.category, now.chain from decisions as new"
            " cross join states on states.title_id = new.title_id"
            " join decisions as now on now.id = states.decision_id where new.id > ? limit ?",
            [self._seen, NEWEST + 1],
        ).fetchall()
        if len(rows) > NEWEST:
            self._shelves.clear()
            return
        for title_id, status, category, chain in rows:
            for name, shelf in self._shelves.items():
                old = shelf.chains.pop(title_id, None)
                if old is not None:
                    shelf.clauses.subtract(skeleton(old, scheme))
                if status == "decided" and name == category and chain:
                    _put(shelf, title_id, chain, scheme)


def _put(shelf: _Shelf, title_id: int, chain: str, scheme: Scheme) -> None:
    shelf.chains[title_id] = chain
    shelf.clauses.update(skeleton(chain, scheme))
    for pair in _pairs(chain):
        entries = shelf.pairs.get(pair)
        if entries is None:
            shelf.pairs[pair] = [title_id]
        else:
            entries.append(title_id)


def _pairs(chain: str) -> set[str]:
    return {chain[start : start + 2] for start in range(len(chain) - 1)}


def _share_of_form(shelf: _Shelf, title_id: int, chain: str, scheme: Scheme) -> float:
    """Which share of the chain, by characters, stands in clauses that many others have."""
    own = skeleton(shelf.chains.get(title_id, ""), scheme)
    clauses = skeleton(chain, scheme)
    common = sum(len(clause) for clause in clauses if shelf.clauses[clause] - (clause in own) >= OFTEN)
    return common / sum(map(len, clauses)) if clauses else 0.0


def _chains(db: Store, category: str) -> list[tuple[int, str]]:
    return db.execute(
        "select states.title_id, decisions.chain from states indexed by states_category"
        " join decisions on decisions.id = states.decision_id"
        " where states.status = 'decided' and states.category = ? and states.has_chain"
        " order by states.title_id desc limit ?",
        [category, NEWEST],
    ).fetchall()


def _nearest(shelf: _Shelf, title_id: int, chain: str) -> Nearest | None:
    """Find the chain of another title that is too close, if one is."""
    others = {other: shelf.chains[other] for other in _candidates(shelf, chain) if other != title_id}
    found = process.extractOne(chain, others, scorer=fuzz.ratio, score_cutoff=TOO_CLOSE)
    return None if found is None else Nearest(title_id=found[2], similarity=found[1])


def _candidates(shelf: _Shelf, chain: str) -> list[int]:
    """Titles whose chains share the most pairs of characters, the rarest pairs first."""
    entries = sorted((shelf.pairs[pair] for pair in _pairs(chain) if pair in shelf.pairs), key=len)
    shared: Counter[int] = Counter()
    glances = 0
    for titles in entries:
        shared.update(titles)
        glances += len(titles)
        if glances > GLANCES:
            break
    found = (other for other, _ in shared.most_common(CANDIDATES + 1))
    return [other for other in found if other in shelf.chains]


def _too_close(near: Nearest) -> ChainRemark:
    return ChainRemark(
        code="chain_repeats",
        severity="warning",
        message=say(
            f"与第 {near.title_id} 条的思维链有 {near.similarity:.0f}% 相同，请写这条标题自己的理由。",
            f"{near.similarity:.0f} % the same as the chain of No. {near.title_id}; argue from this title.",
        ),
    )
