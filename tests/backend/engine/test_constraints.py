"""An answer held to choices is one of them, and ends with it; one that another goes on from ends by its mark."""

import pytest

from backend.engine.constraints import OneOf

END = 1


def walked(constraint, tokens):
    """Push tokens behind the thought; whether each was allowed, and whether the answer is then whole."""
    restriction = constraint.start()
    assert restriction.allowed(inside=True) is None
    restriction.push(99, inside=True)  # what the thought says is nobody's choice
    for token in tokens:
        allowed = restriction.allowed(inside=False)
        if allowed is None or token not in allowed.tolist():
            return False, restriction.complete
        restriction.push(token, inside=False)
    return True, restriction.complete


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ((7, 20), (True, True)),
        ((7,), (True, False)),
        ((8,), (False, False)),
        ((7, 21), (False, False)),
        # 30 and 30 31 are choices: the shorter one is over with the end token only.
        ((7, 30), (True, False)),
        ((7, 30, END), (True, True)),
        ((7, 30, 31), (True, True)),
        ((7, 30, 32), (False, False)),
    ],
)
def test_choices_are_followed_to_their_end_and_nowhere_else(tokens, expected):
    constraint = OneOf.of([(7, 20, END), (7, 30, END), (7, 30, 31, END)], (END,))
    assert walked(constraint, tokens) == expected


def test_nothing_is_asked_for_behind_a_whole_answer():
    restriction = OneOf.of([(7, 20, END)], (END,)).start()
    for token in (7, 20):
        restriction.push(token, inside=False)
    assert restriction.complete and restriction.allowed(inside=False) is None
