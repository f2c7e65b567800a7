"""Store sealed evaluation sets, and give their rows out to whoever opens one.

The rows are in the database alone, compressed: no page, command or worker comes upon them by reading
folders. `studio.gate.sealed_evaluation` opens one, and writes down that it did.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from studio.corpus.titles import Title
from studio.datasets.files import file_hash, sample_of, write_scheme
from studio.errors import InputError, UnreadableFile
from studio.formats.sharegpt import canonical_blocks, json_bytes
from studio.language import say
from studio.samples.scheme import Scheme
from studio.store import Store

ENTRY = "eval"
"""Entry of dataset_info.json that holds the rows of an opened set."""


@dataclass(frozen=True, kw_only=True)
class SealedSet:
    """A sealed set of the dataset `dataset`, without its rows. `created_at` is UTC, ISO 8601."""

    id: int
    dataset: str
    number: int
    rows: int
    sha256: str
    author: str
    created_at: str

    @property
    def ref(self) -> str:
        """How it is named: dataset and number."""
        return f"{self.dataset}#{self.number}"


def add_sealed_set(
    db: Store, dataset: str, titles: Sequence[Title], scheme: Scheme, *, author: str
) -> SealedSet:
    """Store a new sealed set of a dataset; inside a `writing` block."""
    files = {
        f"{ENTRY}.json": json_bytes([sample_of(title, scheme) for title in titles]),
        "dataset_info.json": json_bytes({ENTRY: {"file_name": f"{ENTRY}.json", **canonical_blocks()}}),
        "categories.toml": write_scheme(scheme).encode(),
    }
    content = json.dumps({name: text.decode() for name, text in files.items()}, ensure_ascii=False).encode()
    number = db.execute(
        "select coalesce(max(number), 0) + 1 from sealed_sets where dataset = ?", [dataset]
    ).fetchone()[0]
    (set_id,) = db.execute(
        "insert into sealed_sets (dataset, number, rows, sha256, content, author) values (?, ?, ?, ?, ?, ?)"
        " returning id",
        [dataset, number, len(titles), file_hash(content), zlib.compress(content), author],
    ).fetchone()
    db.conn.executemany(
        "insert into sealed_titles values (?, ?, ?)",
        [(set_id, title.id, title.decision_id) for title in titles],
    )
    return next(each for each in list_sealed_sets(db) if each.id == set_id)


def list_sealed_sets(db: Store) -> list[SealedSet]:
    """List every sealed set, the newest first."""
    rows = db.query(
        "select id, dataset, number, rows, sha256, author, created_at from sealed_sets order by id desc"
    )
    return [SealedSet(**row) for row in rows]


def find_sealed_set(db: Store, dataset: str) -> SealedSet:
    """Find the newest sealed set of a dataset, or the one that `dataset#number` names.

    Raises:
        InputError: there is none.
    """
    name, _, number = dataset.partition("#")
    for each in list_sealed_sets(db):
        if each.dataset == name and number in {"", str(each.number)}:
            return each
    raise InputError(
        say("“{name}”没有封存的评估集。", "“{name}” has no sealed evaluation set.", name=dataset),
        remedy=say(
            "冻结时用 --sealed-share 0.1 封存一份，例如 news-studio freeze {name} --sealed-share 0.1。",
            "Seal one when freezing, for example news-studio freeze {name} --sealed-share 0.1.",
            name=name or "news",
        ),
    )


def sealed_titles(db: Store) -> list[Title]:
    """List the titles of every sealed set as they stand now."""
    rows = db.query(
        "select * from current_titles where id in (select title_id from sealed_titles) order by id"
    )
    return [Title(**row) for row in rows]


def open_content(db: Store, sealed: SealedSet) -> dict[str, bytes]:
    """Return the files of a sealed set, by name; the caller has written down that it opens it.

    Raises:
        UnreadableFile: they are not what was sealed.
    """
    (packed,) = db.execute("select content from sealed_sets where id = ?", [sealed.id]).fetchone()
    try:
        content = zlib.decompress(packed)
    except zlib.error:
        content = b""
    if file_hash(content) != sealed.sha256:
        raise UnreadableFile(
            say(
                "封存的评估集 {ref} 已损坏，内容与封存时不同。",
                "The sealed set {ref} is damaged: its content is not what was sealed.",
                ref=sealed.ref,
            ),
            remedy=say("请从备份恢复 studio.db。", "Restore studio.db from a backup."),
        )
    return {name: text.encode() for name, text in json.loads(content).items()}
