"""A name is enough to start; a role determines what it may do."""

import pytest

from studio.errors import InputError, NotAllowed
from studio.team import people
from studio.team.rights import require_right
from studio.team.settings import LabelSettings, load_settings, save_settings
from tests.support.samples import new_store


@pytest.fixture
def db(tmp_path):
    return new_store(tmp_path / "home")[0]


def test_the_first_is_admin_and_the_others_annotate(db):
    assert [people.sign_in(db, name).role for name in ("li", "wang", "li")] == [
        "admin",
        "annotator",
        "admin",
    ]
    assert [person.name for person in people.list_people(db)] == ["li", "wang"]


def test_names_that_differ_by_spaces_are_one(db):
    assert people.sign_in(db, "  li   na ") == people.sign_in(db, "li na")


@pytest.mark.parametrize("name", ["", "   ", "长" * 41])
def test_a_name_must_fit_a_list(db, name):
    with pytest.raises(InputError):
        people.sign_in(db, name)


def test_only_an_admin_changes_roles(db):
    people.sign_in(db, "li")
    people.sign_in(db, "wang")
    with pytest.raises(NotAllowed, match="管理员"):
        people.change_person(db, "li", by="wang", role="annotator")
    assert people.change_person(db, "wang", by="li", role="reviewer").role == "reviewer"
    require_right("review", db, "wang")


def test_the_last_admin_stays(db):
    people.sign_in(db, "li")
    with pytest.raises(NotAllowed):
        people.change_person(db, "li", by="li", is_active=False)
    assert people.find_person(db, "li").is_active


def test_an_inactive_person_is_not_waited_for(db):
    for name in ("li", "wang", "zhao"):
        people.sign_in(db, name)
    people.change_person(db, "wang", by="li", is_active=False)
    people.change_person(db, "zhao", by="li", role="analyst")
    assert people.labellers(db) == {"li"}


def test_settings_are_kept_and_shares_must_fit(db):
    assert load_settings(db) == LabelSettings()
    save_settings(db, LabelSettings(order="active", overlap_share=0.2), author="li")
    assert (load_settings(db).order, load_settings(db).overlap_share) == ("active", 0.2)
    with pytest.raises(ValueError, match="合计"):
        LabelSettings(uncertain_share=0.8, diverse_share=0.3)


def test_every_setting_has_a_description():
    assert all(field.description for field in LabelSettings.model_fields.values())
