"""A page whose database cannot be used says so, and what to do, instead of what it would draw."""

import pytest

from tests.support.broken_databases import BREAKS, good_database
from tests.support.pages import PAGES, open_page


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_that_the_database_is_newer(workspace, page):
    good_database(workspace.database)
    BREAKS["newer"](workspace.database)
    app = open_page(page)
    assert not app.exception
    assert [error.value for error in app.error if "更新版本" in error.value]


@pytest.mark.parametrize("name", BREAKS)
def test_every_damage_is_said_in_words(workspace, name):
    good_database(workspace.database)
    BREAKS[name](workspace.database)
    app = open_page("titles")
    assert not app.exception
    assert [error.value for error in app.error if "怎么办" in error.value]


def test_a_page_that_was_open_before_says_it_too(workspace):
    good_database(workspace.database)
    app = open_page("label")
    BREAKS["lost"](workspace.database)
    assert not app.run().exception
    assert app.error
    assert not workspace.database.exists()
