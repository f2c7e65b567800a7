"""Freeze, list and verify dataset versions; a frozen one never changes.

A version is a folder, `datasets/<name>/v<number>/`, and its rows in the store. The
same decisions give the same bytes; the files load in LLaMA-Factory as they are.
Which rows are evaluated is settled once: a title that was in the eval split of an
earlier version of that name stays there, so that runs on different versions can be
compared on the rows they share. What is sealed stays out of every version.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from studio.corpus.titles import Title, decided_titles
from studio.datasets._draft_folders import draft_folder
from studio.datasets.files import DATA_FILES, SPLITS, content_hash, data_files, file_hash
from studio.datasets.freeze_checks import (
    notes_on,
    notes_on_sealing,
    require_accepted,
    require_arguments,
    require_no_errors,
    require_rows,
    require_scheme,
    require_sealed,
    warnings_to_accept,
)
from studio.datasets.pair_versions import find_pair_version
from studio.datasets.sealed_sets import SealedSet, add_sealed_set, sealed_titles
from studio.datasets.sealing import Sealing, seal_titles
from studio.datasets.splits import SplitOptions, split_titles
from studio.errors import InputError, UnreadableFile
from studio.formats.conversations import RawRow
from studio.formats.sharegpt import json_bytes
from studio.language import say
from studio.samples.canonical import write_answer
from studio.samples.problems import Problem
from studio.samples.scheme import Scheme
from studio.samples.title_text import Split, title_key
from studio.store import Store, writing
from studio.system.atomic import guard_disk
from studio.team.rights import require_right
from studio.validation.check import check_conversations
from studio.workspace import Workspace

Chainless = Literal["keep", "leave_out"]
"""What becomes of decided titles without a think chain."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """One frozen version of the dataset `name`.

    `rows` counts rows per split, `categories` rows per split and category.
    `created_at` is UTC, ISO 8601. `notes` are the remarks of `freeze` on this version, and
    `sealed` the set that it set aside; empty when it is found again later.
    """

    name: str
    number: int
    folder: Path
    sha256: str
    rows: Mapping[Split, int]
    categories: Mapping[Split, Mapping[str, int]]
    created_at: str
    author: str
    notes: tuple[str, ...] = ()
    sealed: SealedSet | None = None

    @property
    def ref(self) -> str:
        """The name by which `find_version` finds exactly this version."""
        return f"{self.name}@{self.number}"

    @property
    def files(self) -> dict[str, bytes]:
        """The bytes of every file, by name, for download.

        Raises:
            UnreadableFile: a file was removed or changed after freezing.
        """
        contents = {}
        for name in (*DATA_FILES, "version.json"):
            try:
                contents[name] = (self.folder / name).read_bytes()
            except OSError as error:
                raise self._damaged(f"{name}: {error.strerror}") from error
        if content_hash(contents) != self.sha256:
            raise self._damaged(say("内容与冻结时不同", "the content is not what was frozen"))
        return contents

    def to_json(self) -> dict[str, Any]:
        """Build the document of `news-studio freeze --json`."""
        return {
            "name": self.name,
            "number": self.number,
            "ref": self.ref,
            "folder": str(self.folder),
            "sha256": self.sha256,
            "rows": dict(self.rows),
            "categories": {split: dict(counts) for split, counts in self.categories.items()},
            "created_at": self.created_at,
            "author": self.author,
            "notes": list(self.notes),
            "sealed": None if self.sealed is None else {"ref": self.sealed.ref, "rows": self.sealed.rows},
        }

    def _damaged(self, what: str) -> UnreadableFile:
        return UnreadableFile(
            say(
                "数据集版本 {ref} 的文件不完整（{what}）。",
                "The files of dataset version {ref} are damaged ({what}).",
                ref=self.ref,
                what=what,
            ),
            remedy=say(
                f"请从备份恢复 {self.folder}，或重新冻结一个版本。",
                f"Restore {self.folder} from a backup, or freeze a new version.",
            ),
        )


def freeze(
    db: Store,
    workspace: Workspace,
    name: str,
    *,
    eval_share: float | None = None,
    seed: int = 42,
    eval_titles: Sequence[str] = (),
    resplit: bool = False,
    accept_warnings: bool = False,
    chainless: Chainless = "keep",
    sealed_share: float | None = None,
    author: str,
    scheme: Scheme,
) -> Version:
    """Freeze all decided titles as the next version of `name`.

    With `sealed_share` that share of the titles, none of which a version has used, becomes a new sealed
    set of `name`. Sealed titles, of whichever dataset, and their near copies are in no version.

    A title without a think chain is written with an empty one, and so trained as a direct
    answer; with `chainless` leave_out it stays out of the version.

    What an earlier version of that name evaluated stays in eval, else a split that the
    import fixed stays, unless `resplit` forgets both. `eval_titles`, a fixed list, are
    evaluated. Where nothing fixes an eval row, or an `eval_share` is given, that share of
    the remaining titles (default 0.2), stratified by category, is evaluated. Near
    copies fall on one side; the version's notes report where that moved a title.

    Raises:
        NotAllowed: the author's role does not cover it.
        NothingToFreeze: no decided title, or a split would be empty.
        FreezeRefused: titles have errors, or there are warnings and nobody accepted them.
        InputError: the name is no folder name, a decision is outside the scheme, or there is nothing to seal.
        DiskFull: nothing was written.
    """
    require_right("freeze", db, author)
    require_arguments(name, eval_share, sealed_share)
    _require_own_name(workspace, name)
    titles = titles_to_freeze(db, chainless)
    require_scheme(titles, scheme)
    problems = problems_of(titles, scheme)
    require_no_errors(problems, titles)
    options = SplitOptions(eval_share=eval_share, seed=seed, eval_titles=tuple(eval_titles), resplit=resplit)
    sealing = seal(db, titles, options, sealed_share)
    require_sealed(sealing, sealed_share)
    division = split_titles(sealing.rest, *earlier_rows(db, name), options)
    require_rows(division.splits)
    reasons = warnings_to_accept(titles, division)
    require_accepted(reasons, accept_warnings)
    version, sealed = _write_version(
        db, workspace.datasets / name, author, division.splits, options, scheme, sealing
    )
    notes = (*notes_on(problems, division), *notes_on_sealing(sealing), *reasons)
    return replace(version, notes=notes, sealed=sealed)


def seal(db: Store, titles: Sequence[Title], options: SplitOptions, share: float | None) -> Sealing:
    """Hold back what is sealed, and draw a further sealed set where a share is given."""
    used = set() if options.resplit or share is None else _used_titles(db)
    if share is not None:
        listed = {title_key(text) for text in options.eval_titles}
        used |= {title.id for title in titles if title_key(title.text) in listed}
    return seal_titles(titles, sealed_titles(db), used, share=share, seed=options.seed)


def _used_titles(db: Store) -> set[int]:
    """Query the ids of titles that any version of any dataset trains or evaluates on."""
    return {title for (title,) in db.execute("select distinct title_id from version_rows").fetchall()}


def _require_own_name(workspace: Workspace, name: str) -> None:
    if find_pair_version(workspace, name) is not None:
        raise InputError(
            say(f"“{name}”已经是偏好对的名字。", f"“{name}” is a name of preference pairs already."),
            remedy=say("请换一个名字。", "Choose another name."),
        )


def titles_to_freeze(db: Store, chainless: Chainless) -> list[Title]:
    """List the decided titles that a freeze takes."""
    titles = decided_titles(db)
    return [title for title in titles if title.chain] if chainless == "leave_out" else titles


def _write_version(
    db: Store,
    parent: Path,
    author: str,
    splits: Mapping[Split, list[Title]],
    options: SplitOptions,
    scheme: Scheme,
    sealing: Sealing,
) -> tuple[Version, SealedSet | None]:
    """Write the files, the entry in the store, and what is sealed now: all or nothing."""
    sealed: SealedSet | None = None
    files = data_files(splits, scheme)
    with guard_disk(parent), draft_folder(parent) as draft, ExitStack() as leftovers:
        leftovers.callback(shutil.rmtree, draft, ignore_errors=True)
        for file_name, content in files.items():
            _write(draft / file_name, content)
        with writing(db):
            version = _record(db, parent, parent.name, author, splits, content_hash(files))
            if sealing.sealed:
                sealed = add_sealed_set(db, parent.name, sealing.sealed, scheme, author=author)
            described = _describe(version, splits, files, asdict(options) | _sealed_part(sealing, sealed))
            _write(draft / "version.json", json_bytes(described))
            # In one step, and last: whoever sees the folder sees all of it.
            draft.rename(version.folder)
            leftovers.callback(shutil.rmtree, version.folder, ignore_errors=True)
        leftovers.pop_all()
    return version, sealed


def _sealed_part(sealing: Sealing, sealed: SealedSet | None) -> dict[str, Any]:
    """Build what version.json says about sealing: how many titles stayed out, and no title."""
    if sealed is None and not sealing.held_back:
        return {}
    opened = None if sealed is None else {"ref": sealed.ref, "rows": sealed.rows, "sha256": sealed.sha256}
    return {"sealed_share": sealing.share, "sealed": opened, "held_back": len(sealing.held_back)}


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # a version in the store has its bytes on the disk, even after a power cut


def _record(
    db: Store, parent: Path, name: str, author: str, splits: Mapping[Split, list[Title]], sha256: str
) -> Version:
    """Insert the version and its rows under the next free number."""
    number = _next_number(db, parent, name)
    version_id, created_at = db.execute(
        "insert into versions (name, number, sha256, author) values (?, ?, ?, ?) returning id, created_at",
        [name, number, sha256, author],
    ).fetchone()
    rows = [
        (version_id, split, row, title.id, title.decision_id, title.category)
        for split in SPLITS
        for row, title in enumerate(splits[split])
    ]
    db.conn.executemany("insert into version_rows values (?, ?, ?, ?, ?, ?)", rows)
    return Version(
        name=name,
        number=number,
        folder=parent / f"v{number}",
        sha256=sha256,
        rows={split: len(splits[split]) for split in SPLITS},
        categories={split: count_by_category(splits[split]) for split in SPLITS},
        created_at=created_at,
        author=author,
    )


def _describe(
    version: Version,
    splits: Mapping[Split, list[Title]],
    files: Mapping[str, bytes],
    split_options: Mapping[str, Any],
) -> dict[str, Any]:
    """Build version.json: the metadata that the data files lack, enough to rebuild the store."""
    return {
        "format_version": 1,
        "name": version.name,
        "number": version.number,
        "sha256": version.sha256,
        "files": {name: file_hash(content) for name, content in files.items()},
        "created_at": version.created_at,
        "author": version.author,
        **split_options,
        "rows": {split: [_origin(title) for title in splits[split]] for split in SPLITS},
    }


def _origin(title: Title) -> dict[str, Any]:
    """Build the metadata that a row of train.json or eval.json lacks; enough to rebuild the store."""
    return {
        "title_id": title.id,
        "decision_id": title.decision_id,
        "split": title.split,
        "source": title.source,
        "author": title.author,
    }


def list_versions(db: Store, workspace: Workspace) -> list[Version]:
    """List every version, the newest first."""
    counts: dict[int, dict[Split, dict[str, int]]] = {}
    for version_id, split, category, count in db.execute(
        "select version_id, split, category, count(*) from version_rows group by version_id, split, category"
    ).fetchall():
        counts.setdefault(version_id, {"train": {}, "eval": {}})[split][category] = count
    return [
        Version(
            name=row["name"],
            number=row["number"],
            folder=workspace.datasets / row["name"] / f"v{row['number']}",
            sha256=row["sha256"],
            rows={split: sum(counts[row["id"]][split].values()) for split in SPLITS},
            categories=counts[row["id"]],
            created_at=row["created_at"],
            author=row["author"],
        )
        for row in db.query("select * from versions order by id desc")
    ]


def find_version(db: Store, workspace: Workspace, ref: str) -> Version:
    """Find the version that `name` (the latest) or `name@number` means, and verify its files.

    Raises:
        InputError: there is no such version.
        UnreadableFile: its files were removed or changed.
    """
    name, _, number = ref.partition("@")
    versions = list_versions(db, workspace)
    for version in versions:
        if version.name == name and number in {"", str(version.number)}:
            _ = version.files
            return version
    known = ", ".join(version.ref for version in versions[:10])
    raise InputError(
        say(f"没有数据集版本“{ref}”。", f"There is no dataset version “{ref}”."),
        remedy=say(f"现有版本：{known}。", f"There is: {known}.")
        if known
        else say(
            "请先用 news-studio freeze 名称 冻结一个版本。", "Freeze one first: news-studio freeze NAME."
        ),
    )


def count_by_category(titles: Iterable[Title]) -> dict[str, int]:
    """Count titles by their category; one without is not counted."""
    return dict(Counter(title.category for title in titles if title.category is not None))


def data_problems(db: Store, scheme: Scheme) -> list[Problem]:
    """Check the decided titles; each problem has its `title_id`."""
    return problems_of(decided_titles(db), scheme)


def problems_of(titles: Iterable[Title], scheme: Scheme) -> list[Problem]:
    """Check these titles as `news-studio check` would; each problem has its `title_id`."""
    rows = [
        RawRow(
            file=say("已确定的标题", "decided titles"),
            row=title.id,
            split=title.split,
            kind="title",
            record=None,
            title=title.text,
            answer=write_answer(title.chain or "", title.category or ""),
        )
        for title in titles
    ]
    return [replace(problem, title_id=problem.row) for problem in check_conversations(rows, scheme)]


def earlier_rows(db: Store, name: str) -> tuple[set[int], set[int]]:
    """Query the ids of titles that earlier versions of that name evaluated, and that they trained on."""
    rows = db.execute(
        "select distinct split, title_id from version_rows"
        " join versions on versions.id = version_id where name = ?",
        [name],
    ).fetchall()
    return {title for split, title in rows if split == "eval"}, {
        title for split, title in rows if split == "train"
    }


def _next_number(db: Store, parent: Path, name: str) -> int:
    """Count past every version in the store and on disk: a folder whose entry was lost is not overwritten."""
    stored = db.execute("select coalesce(max(number), 0) from versions where name = ?", [name]).fetchone()[0]
    on_disk = [int(folder.name[1:]) for folder in parent.glob("v*") if folder.name[1:].isdecimal()]
    return int(max([stored, *on_disk]) + 1)
