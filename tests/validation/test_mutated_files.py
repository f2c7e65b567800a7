"""Broken files end check and import with a message: a small form of benchmarks/data/mutated_files.py."""

from tests.support.mutated_files import DELIMITED, KINDS, MOST_MIB, MOST_SECONDS, run_all, write_case


def test_no_broken_file_brings_a_traceback_a_hang_or_too_much_memory(tmp_path):
    endings, faults = run_all(tmp_path, range(60), seed=7)
    assert not faults, "\n".join(faults)
    assert {ending.code for _, ending in endings} == {0, 1, 2}
    assert max(ending.seconds for _, ending in endings) < MOST_SECONDS
    assert max(ending.peak_mib for _, ending in endings) < 2 * MOST_MIB


def test_the_same_seed_breaks_the_same_files(tmp_path):
    import random

    for folder in ("a", "b"):
        for number in range(12):
            (tmp_path / folder).mkdir(exist_ok=True)
            write_case(tmp_path / folder / str(number), random.Random(f"1-{number}"))
    for path in (tmp_path / "a").rglob("data.*"):
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        if path.is_file() and path.suffix not in (".xlsx",):  # a workbook holds the time of its making
            assert path.read_bytes() == other.read_bytes()
    assert len(KINDS) + len(DELIMITED) == 11
