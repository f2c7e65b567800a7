"""What is computed at once fits into memory: no client can ask for more than the machine has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.serving.capacity import FEW_SLOTS, SHORT_CONTEXT, Capacity, fit

GIB = 2**30


@pytest.mark.parametrize(
    ("budget", "place_bytes", "found"),
    [
        (4 * GIB, 15_360, Capacity(64, 2048)),  # the bundled model
        (4 * GIB, 114_688, Capacity(18, 2048)),  # 7B in float32
        (1 * GIB, 114_688, Capacity(4, 2048)),
        (100 * 2**20, 114_688, Capacity(1, 2048)),
    ],
)
def test_answers_and_their_length_are_reduced_to_the_memory(budget, place_bytes, found):
    assert fit(Capacity(64, 2048), place_bytes=place_bytes, budget=budget) == found


def test_a_long_context_is_kept_while_few_people_fit():
    assert fit(Capacity(64, 8192), place_bytes=1000, budget=16 * 8192 * 1000) == Capacity(16, 8192)
    assert fit(Capacity(64, 8192), place_bytes=1000, budget=16 * 4096 * 1000) == Capacity(16, 4096)


@given(
    slots=st.integers(1, 300),
    context=st.integers(64, 2**20),
    place_bytes=st.integers(1, 10**6),
    budget=st.integers(1, 10**12),
)
def test_what_is_planned_fits_unless_nothing_does(slots, context, place_bytes, budget):
    found = fit(Capacity(slots, context), place_bytes=place_bytes, budget=budget)
    assert 1 <= found.slots <= slots and min(context, SHORT_CONTEXT) <= found.context <= context
    assert found.slots * found.context * place_bytes <= budget or found.slots == 1
    if (found.slots, found.context) != (slots, context) and found.context < context:
        assert found.slots <= FEW_SLOTS or found.slots == slots
