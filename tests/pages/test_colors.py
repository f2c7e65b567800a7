"""Our own colours can be read, and stored texts stay texts."""

import pytest

from pages.shared import colors
from pages.shared.text import plain, spoken
from studio.samples.scheme import load_scheme
from studio.team.people import COLORS


@pytest.mark.parametrize("color", [*(each.color for each in load_scheme().categories), *COLORS])
def test_a_colour_is_moved_until_it_stands_out_and_no_further(color):
    shown = colors.readable(color)
    assert colors.contrast(shown, colors.ground()) >= colors.MARK
    assert colors.readable(shown) == shown
    if colors.contrast(color, colors.ground()) >= colors.MARK:
        assert shown == color


@pytest.mark.parametrize("color", ["#000000", "#FFFFFF", "#808080", colors.ACCENT, colors.WARM])
def test_text_on_a_cell_can_be_read(color):
    assert colors.contrast(colors.text_on(color), color) >= 4.4


@pytest.mark.parametrize(
    ("typed", "apart"),
    [
        ("a--b", "-\u2060"),
        ("a->b", "\u2060"),
        ("<-", "\u2060"),
        ("http://x.y", ":\u2060"),
        ("WWW.x.y", "W\u2060"),
        ("a@b.c", "@\u2060"),
    ],
)
def test_what_streamlit_would_change_is_kept_apart(typed, apart):
    shown = plain(typed).replace("\\", "")
    assert apart in shown
    assert shown.replace("\u2060", "") == typed


@pytest.mark.parametrize("typed", ["央行宣布降息", "3.5%", "C++", "A><B", "a - b", "https"])
def test_other_texts_stay_as_they_are(typed):
    assert plain(typed).replace("\\", "") == typed


def test_a_spoken_label_has_no_marks():
    assert spoken("**粗体** :red[x] `c` 5℃") == "粗体 red x c 5℃"
