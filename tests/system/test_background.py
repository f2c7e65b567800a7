"""A background process runs once for its lock file, outlives its starter and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from studio.system.background import Background
from studio.system.locks import is_locked, read_note, take_lock, write_note
from tests.support.tiny_runs import wait_until

SLEEPER = """
import sys, time
from pathlib import Path
from studio.system.background import Background, parse_arguments
options = parse_arguments("sleeper", "Sleep.")
home = options.home
with Background(module="sleeper", home=home, lock=home / "lock", log=home / "log").held(options.lock) as lock:
    print("refused" if lock is None else "began", *sys.path[:1], flush=True)
    (home / "began").touch()
    while lock and not (home / "stop").exists():
        time.sleep(0.01)
"""


@pytest.fixture
def sleeper(tmp_path, monkeypatch):
    """A background process that sleeps until it is stopped."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/sleeper.py").write_text(SLEEPER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "modules"), *sys.path]))
    home = tmp_path / "home"
    home.mkdir()
    process = Background(module="sleeper", home=home, lock=home / "lock", log=home / "log")
    yield process
    (home / "stop").touch()
    wait_until(lambda: not process.is_alive())


def begun(process: Background) -> int:
    """Its process id, once it is up."""
    wait_until((process.home / "began").exists)
    return int(read_note(process.lock))


def test_it_is_alive_until_it_ends_and_can_be_started_again(sleeper):
    assert not sleeper.is_alive()
    for number in (signal.SIGTERM, signal.SIGKILL):
        assert sleeper.start()
        os.kill(begun(sleeper), number)
        wait_until(lambda: not sleeper.is_alive())
        assert read_note(sleeper.lock) is None
        (sleeper.home / "began").unlink()


def test_many_starters_at_once_start_one(sleeper):
    started = []
    starters = [threading.Thread(target=lambda: started.append(sleeper.start())) for _ in range(8)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    begun(sleeper)
    assert sorted(started) == [False] * 7 + [True]
    assert sleeper.log.read_text().count("began") == 1


def test_it_outlives_whoever_started_it(sleeper):
    start = f"""
import os
from pathlib import Path
from studio.system.background import Background
home = Path({str(sleeper.home)!r})
assert Background(module="sleeper", home=home, lock=home / "lock", log=home / "log").start()
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", start], check=False).returncode == -signal.SIGKILL
    assert begun(sleeper) != os.getpid()
    assert sleeper.is_alive()


def test_one_that_is_started_by_hand_holds_the_lock_and_a_second_is_refused(sleeper):
    command = [sys.executable, "-m", "sleeper", str(sleeper.home)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as first:
        assert begun(sleeper) == first.pid
        second = subprocess.run(command, capture_output=True, text=True, check=True)
        assert second.stdout.startswith("refused")
        assert not sleeper.start()
        assert begun(sleeper) == first.pid
        first.kill()


def test_a_start_that_is_refused_leaves_the_log_alone(sleeper):
    sleeper.start()
    begun(sleeper)
    assert not sleeper.start()
    assert "began" in sleeper.log.read_text()


@pytest.mark.parametrize("keeps_log", [False, True])
def test_the_log_of_an_earlier_process_is_kept_where_it_is_wanted(sleeper, keeps_log):
    sleeper.log.write_text("old words\n")
    process = Background(
        module=sleeper.module, home=sleeper.home, lock=sleeper.lock, log=sleeper.log, keeps_log=keeps_log
    )
    process.start()
    begun(process)
    assert ("old words" in process.log.read_text()) == keeps_log


def test_the_workspace_is_not_on_the_path_of_what_runs_there(sleeper):
    sleeper.start()
    begun(sleeper)
    first_on_path = sleeper.log.read_text().split()[1]
    assert Path(first_on_path) == sleeper.home.parent / "modules"


def test_a_lock_ends_with_the_last_process_that_inherited_it(tmp_path):
    path = tmp_path / "lock"
    with path.open("a") as lock:
        assert take_lock(lock)
        child = subprocess.Popen(["sleep", "30"], pass_fds=[lock.fileno()])
    assert is_locked(path)
    child.kill()
    child.wait()
    assert not is_locked(path)


def test_a_note_is_waited_for_while_the_lock_is_held_and_gone_with_it(tmp_path):
    path = tmp_path / "lock"
    with path.open("a") as lock:
        assert take_lock(lock)
        threading.Timer(0.1, write_note, [lock, "first"]).start()
        assert read_note(path) == "first"
        write_note(lock, "second")
        assert read_note(path) == "second"
    assert read_note(path) is None
