"""A workspace in which everything that people and files can write is Markdown, HTML, an icon, or an address."""

import json
import shutil
from pathlib import Path

from studio.gate.gates import save_gate
from studio.gate.releasing import release
from studio.store import open_store
from studio.team.rights import as_owner
from studio.workspace import BUNDLED_NAME, SAMPLE_RUN, Workspace
from tests.support.old_workspaces import unpack

OUTSIDE = "evil.invalid"
MARKS = (
    "![i](http://evil.invalid/a.png) [l](http://evil.invalid/b) <img src=http://evil.invalid/c.gif>"
    " <b>t</b> :material/bolt: $x^2$ aa--bb http://evil.invalid/d www.evil.invalid me@evil.invalid"
    " **s** :red[r] `c` ~~d~~ # h <https://evil.invalid/e>"
)
NAME = "![i](m) *b* :material:bolt: $x^2$ aa--bb <img src=x> www.evil.invalid"
"""The same for what is a file's name."""

FREE = {
    "titles": ["text", "source"],
    "batches": ["source"],
    "imported_rows": ["file", "label", "means", "chain", "note", "proposal"],
    "annotations": ["chain", "reason", "suggestion_source"],
    "decisions": ["chain", "note"],
    "refused_rows": ["file", "reason"],
    "drafts": ["chain", "model", "endpoint", "remarks"],
    "typed_drafts": ["text"],
    "suggestions": ["source"],
    "title_tags": ["tag"],
    "tag_events": ["tag"],
    "reviews": ["comment"],
    "steps": ["note"],
}
PEOPLE = ("author", "addressee")


def make_hostile(home: Path) -> None:
    """Unpack the old workspace and let every free text in it be hostile; li stays li, and admin."""
    unpack(home)
    workspace = Workspace(home=home)
    db = open_store(workspace.database)
    with db.conn:
        for (name,) in db.execute(
            "select name from sqlite_master where type = 'trigger' and sql like '%before update%'"
        ).fetchall():
            db.execute(f'drop trigger "{name}"')
        for table, columns in FREE.items():
            present = {column.name for column in db.table(table).columns}
            for column in present.intersection(columns):
                # What was there stays behind it: some of it is unique.
                db.execute(
                    f"update or ignore {table} set {column} = ? || ' ' || {column} where {column} is not null",
                    [MARKS],
                )
        tables = [name for name in db.table_names() if not name.startswith("sqlite_")]
        for table in tables:
            for column in {each.name for each in db.table(table).columns}.intersection(PEOPLE):
                db.execute(
                    f"update or ignore {table} set {column} = ? || {column}"
                    f" where {column} not in ('li', 'import')",
                    [MARKS],
                )
        db.execute("update people set name = ? || name where name <> 'li'", [MARKS])
        decided = db.execute("select title_id from states where status = 'decided' limit 1").fetchone()[0]
        db.execute("update states set category = ? where title_id = ?", [MARKS, decided])
        db.execute(
            "update decisions set category = ? where id = (select decision_id from states where title_id = ?)",
            [MARKS, decided],
        )
    with as_owner():
        save_gate(db, workspace, dataset=BUNDLED_NAME, author=MARKS, accuracy=0.99)
        release(db, workspace, SAMPLE_RUN.name, signed_by=MARKS, author=MARKS, despite=MARKS)
    db.close()
    for folder in workspace.runs.iterdir():
        _make_run_hostile(folder)
    shutil.copytree(next(workspace.models.iterdir(), _empty(home)), workspace.models / NAME)


def _empty(home: Path) -> Path:
    folder = home / "empty-model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


def _make_run_hostile(folder: Path) -> None:
    record = folder / "run.json"
    if record.exists():
        content = json.loads(record.read_text(encoding="utf-8"))
        content["label"] = MARKS
        record.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    with (folder / "log.txt").open("a", encoding="utf-8") as log:
        log.write(f"{MARKS}\n" * 3)
    for file in folder.glob("**/predictions*.jsonl"):
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        for line in lines:
            for key in ("title", "label_chain", "chain", "text"):
                if isinstance(line.get(key), str):
                    line[key] = f"{MARKS} {line[key]}"
        file.write_text(
            "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8"
        )
    result = folder / "result.json"
    if result.exists():
        content = json.loads(result.read_text(encoding="utf-8"))
        for key, value in content.items():
            if key in ("problem", "remedy", "error", "message", "reason") and isinstance(value, str):
                content[key] = MARKS
        result.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
