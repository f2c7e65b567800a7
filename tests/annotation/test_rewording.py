"""A corrected title takes the place of the old one; nothing is lost, and nothing comes twice."""

import pytest

from studio.annotation.history import history
from studio.annotation.rewording import reword
from studio.corpus.titles import find_title, get_title
from studio.errors import InputError, NotAllowed, StalePress
from studio.messages import shown
from tests.support.team import label, team


@pytest.fixture
def db(tmp_path):
    return team(tmp_path / "home")


def test_a_decided_title_keeps_category_and_chain(db):
    old = label(db, "wang", "经济", chain="降息是货币政策，归经济。")
    new = reword(db, old.id, "央行宣布降准 ", author="zhao", seen_revision=old.revision)
    assert (new.text, new.status, new.category, new.chain) == (
        "央行宣布降准",
        "decided",
        "经济",
        "降息是货币政策，归经济。",
    )
    assert (new.source, new.batch_id, new.split) == (old.source, old.batch_id, old.split)
    assert get_title(db, old.id).status == "trashed"
    assert shown(get_title(db, old.id).note) == f"文字已改，见第 {new.id} 条"
    assert [shown(event.note) for event in history(db, new.id)] == [f"改写自第 {old.id} 条"]


def test_a_waiting_title_goes_on_waiting(db):
    new = reword(db, 2, "女排逆转夺得冠军", author="li", seen_revision=get_title(db, 2).revision)
    assert (new.status, new.category) == ("waiting", None)


@pytest.mark.parametrize("text", ["", " 　", "字" * 501, "女排逆转夺冠", "央行，宣布降息！"])
def test_what_is_no_new_title_is_refused(db, text):
    with pytest.raises(InputError):
        reword(db, 1, text, author="li", seen_revision=get_title(db, 1).revision)
    assert get_title(db, 1).status == "waiting"


def test_only_a_reviewer_corrects_and_only_what_was_on_screen(db):
    with pytest.raises(NotAllowed):
        reword(db, 1, "央行降准", author="wang", seen_revision=get_title(db, 1).revision)
    with pytest.raises(StalePress):
        reword(db, 1, "央行降准", author="li", seen_revision=0)
    assert find_title(db, "央行降准") is None
