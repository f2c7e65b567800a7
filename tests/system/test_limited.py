"""What reads a hostile file runs in a process of its own, which ends by a limit and takes nobody with it."""

import time
from pathlib import Path

import pytest

from studio.errors import UnreadableFile
from studio.formats.choices import UnclearFile
from studio.ingest.preview import preview_file
from studio.language import current_language, say
from studio.system.limited import MEBIBYTES, call_limited, call_within


def spin():
    while True:
        pass


def sleep():
    time.sleep(60)


def eat():
    return len(bytes((MEBIBYTES + 100) << 20))


def nest():
    return nest()


def refuse():
    print("a library that prints")
    raise UnclearFile(say("哪一列？", "Which column?"), options=[])


def language():
    return current_language.get(), Path("/x")


def crash():
    raise ZeroDivisionError


def test_a_result_crosses_in_the_language_of_whoever_asked():
    assert call_limited(language) == ("zh", Path("/x"))
    current_language.set("en")
    assert call_limited(language) == ("en", Path("/x"))


@pytest.mark.parametrize("function", [spin, sleep])
def test_what_spins_or_waits_is_ended_in_time_and_said(function):
    began = time.monotonic()
    with pytest.raises(UnreadableFile) as caught:
        call_within(2, function)
    assert caught.value.code == "unreadable"
    assert "2 秒" in caught.value.problem
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("function", [eat, nest])
def test_what_takes_too_much_memory_is_said(function):
    with pytest.raises(UnreadableFile) as caught:
        call_limited(function)
    assert caught.value.code == "too_large"


def test_an_error_for_a_person_crosses_whole():
    with pytest.raises(UnclearFile) as caught:
        call_limited(refuse)
    assert (caught.value.problem, list(caught.value.options)) == ("哪一列？", [])


def test_a_process_that_breaks_down_is_said():
    with pytest.raises(UnreadableFile) as caught:
        call_limited(crash)
    assert "意外结束" in caught.value.problem


def test_a_preview_crosses(tmp_path):
    (tmp_path / "a.csv").write_text("标题,类别\n女排夺冠,体育\n", encoding="utf-8")
    assert call_limited(preview_file, tmp_path / "a.csv") == preview_file(tmp_path / "a.csv")
