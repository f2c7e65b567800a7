"""The ledger refuses to change, and names the first entry that was changed past its guards."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from studio.releases import ledger
from studio.releases.models import PutInForce
from studio.store import open_store


@pytest.fixture
def db(workspace):
    opened = open_store(workspace.database)
    for number in range(1, 6):
        ledger.append(opened, "put_in_force", PutInForce(number=number, why="back"), author="李")
    return opened


def test_entries_come_back_as_they_were_written(db):
    entries = ledger.read(db, "put_in_force")
    assert [PutInForce.model_validate_json(each.body).number for each in entries] == [1, 2, 3, 4, 5]
    assert len({each.sha256 for each in entries}) == 5 and entries[0].at.utcoffset().total_seconds() == 0
    assert ledger.read(db, "gate_saved") == [] and ledger.first_broken(db) is None


@pytest.mark.parametrize("statement", ["update ledger set author = 'x'", "delete from ledger where id = 2"])
def test_sqlite_refuses_to_change_or_delete(db, statement):
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(statement)


TAMPERED = {
    "a byte of the body": ("update ledger set body = replace(body, '3', '4') where id = 3", 3),
    "the author": ("update ledger set author = '王' where id = 2", 2),
    "the time": ("update ledger set at = replace(at, '2', '1') where id = 4", 4),
    "the kind": ("update ledger set kind = 'released' where id = 1", 1),
    "a hash": ("update ledger set sha256 = 'ff' where id = 5", 5),
    "an entry taken out": ("delete from ledger where id = 3", 3),
}


@pytest.mark.parametrize(("statement", "broken"), TAMPERED.values(), ids=TAMPERED)
def test_whoever_gets_past_the_triggers_is_found_out(db, statement, broken):
    for verb in ("update", "delete"):
        db.execute(f"drop trigger ledger_no_{verb}")
    db.execute(statement)
    assert ledger.first_broken(db) == broken


def test_two_who_write_at_once_make_one_chain(workspace, db):
    def write(name):
        with closing(open_store(workspace.database)) as own:
            for number in range(10):
                ledger.append(own, "put_in_force", PutInForce(number=number + 1, why="back"), author=name)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, "abcd"))
    assert len(ledger.read(db, "put_in_force")) == 45 and ledger.first_broken(db) is None
