"""Measure what one press costs the server under load: save, next title, and everything drawn around it.

    python -m benchmarks.app.press_server [--titles 100000 1000000] [--people 10] [--presses 500]
                                          [--think-seconds 1]

The real web process on a throw-away workspace. The people speak the browser's protocol
over web sockets, so that no drawing in a browser is in the numbers. The time runs from
the message that carries the press to the last message of its answer; "next title" is the
message by which the browser can show it. Exit code 1 when the 95th percentile of the
whole answer is above 50 ms at the first size, or above twice that at another.
"""

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks.data.store_speed import fill
from studio.annotation.queue_order import change_settings
from studio.store import open_store
from studio.team.settings import LabelSettings
from studio.workspace import open_workspace
from tests.support.web_process import WebProcess, running

TARGET_MS = 50
SETTINGS = LabelSettings(overlap_share=0.1, order="random")
PATIENCE_SECONDS = 60
WARM_UP = 3
"""Presses of each person before the clock runs: the first ones load what the page needs."""


ALONE_MS = 15
ONE_BY_ONE = 200
CPUCLOCK_SCHED = 2
"""The last bits of a process's clock id, by which clock_gettime reads its processor time (posix-timers.h)."""


@dataclass
class Screen:
    """The state of one person's browser after the messages so far."""

    title: str = ""
    fragment: str = ""
    digits: dict[str, str] = field(default_factory=dict)

    def take(self, message: Any) -> None:
        """Update the state: the title, and the button of each digit."""
        element = message.delta.new_element
        if element.WhichOneof("type") == "heading" and element.heading.tag == "h2":
            self.title = element.heading.body
        elif element.WhichOneof("type") == "button" and element.button.shortcut.isdigit():
            self.digits[element.button.shortcut] = element.button.id
            self.fragment = message.delta.fragment_id


@dataclass
class Times:
    """Milliseconds of every press of all people."""

    next_title: list[float] = field(default_factory=list)
    answer: list[float] = field(default_factory=list)
    refused: int = 0


def main() -> int:
    """Measure each size, print the table, return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--titles", type=int, nargs="+", default=[100_000])
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--presses", type=int, default=500)
    parser.add_argument("--think-seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    p95 = [measure(titles, arguments) for titles in arguments.titles]
    return int(p95[0] > TARGET_MS or any(later > 2 * TARGET_MS for later in p95[1:]))


def measure(titles: int, arguments: argparse.Namespace) -> float:
    """Print the lines of one size and return the 95th percentile of an answer in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        with closing(open_store(open_workspace(Path(folder)).database)) as db:
            fill(db, titles)
            change_settings(db, SETTINGS, author="p0")
        times = Times()
        with running(Path(folder)) as web:
            busy = work(web, times, arguments)
            used = one_by_one(web)
            alone = percentile([same_work_alone() for _ in range(200)])
        saved = answers_by_person(Path(folder))
    expected = {
        f"p{number}": WARM_UP + arguments.presses // arguments.people for number in range(arguments.people)
    }
    if sum(saved.values()) + times.refused != sum(expected.values()) + ONE_BY_ONE:
        raise SystemExit(f"Pressed {expected}, saved {saved}: this measured something else.")
    p95 = percentile(times.answer)
    sys.stdout.write(
        f"{titles:>9} titles, {arguments.people} people, {len(times.answer)} presses,"
        f" {times.refused} refused\n"
        f"  press -> next title: median {statistics.median(times.next_title):6.1f} ms,"
        f" p95 {percentile(times.next_title):6.1f}\n"
        f"  press -> whole answer: median {statistics.median(times.answer):6.1f} ms, p95 {p95:6.1f}\n"
        f"  processor time of the server per press: {busy:6.1f} ms\n"
        f"  the same, {ONE_BY_ONE} presses one by one: median {statistics.median(used):6.1f} ms,"
        f" p95 {percentile(used):6.1f}\n"
        f"  {ALONE_MS} ms of processor time in a process that does nothing else: p95 {alone:6.1f} ms\n"
    )
    sys.stdout.flush()
    return p95


def same_work_alone() -> float:
    """Time a press's amount of work in an idle process, in milliseconds: what a busy machine adds."""
    time.sleep(0.02)
    began, busy = time.perf_counter(), time.thread_time()
    while time.thread_time() - busy < ALONE_MS / 1000:
        pass
    return 1000 * (time.perf_counter() - began)


def answers_by_person(home: Path) -> dict[str, int]:
    """Count the answers of each person in the database."""
    with closing(open_store(open_workspace(home).database)) as db:
        return dict(db.execute("select author, count(*) from annotations group by author").fetchall())


def work(web: WebProcess, times: Times, arguments: argparse.Namespace) -> float:
    """Run all people at once; return the server's processor time for each press in milliseconds."""
    each = arguments.presses // arguments.people
    ready = threading.Barrier(arguments.people + 1)
    threads = [
        threading.Thread(target=person, args=(web, f"p{number}", each, arguments.think_seconds, times, ready))
        for number in range(arguments.people)
    ]
    for thread in threads:
        thread.start()
    ready.wait(PATIENCE_SECONDS)
    before = processor_seconds(web)
    for thread in threads:
        thread.join()
    return float(1000 * (processor_seconds(web) - before) / (each * arguments.people))


def one_by_one(web: WebProcess) -> list[float]:
    """Measure the server's processor time in milliseconds for each press of one person, who is alone.

    This is the server's own work, independent of other load on the machine.
    """
    screen, used = Screen(), []
    with sitting(web) as socket:
        for message in answer(socket, opening("p0")):
            screen.take(message)
        for _ in range(ONE_BY_ONE):
            time.sleep(0.03)  # the server tidies up after an answer; that is part of the press before
            before = processor_seconds(web)
            press(socket, screen, "1", Times())
            time.sleep(0.03)
            used.append(1000 * (processor_seconds(web) - before))
    return used


def processor_seconds(web: WebProcess) -> float:
    """Read the processor time of the web process in seconds, ended threads included (Linux)."""
    return float(time.clock_gettime((~web.pid << 3) | CPUCLOCK_SCHED))


def person(
    web: WebProcess, name: str, presses: int, think_seconds: float, times: Times, ready: threading.Barrier
) -> None:
    """Simulate one annotator: open the Label page, then think and press, and so on."""
    draw, screen = random.Random(name), Screen()
    with sitting(web) as socket:
        for message in answer(socket, opening(name)):
            screen.take(message)
        for number in range(WARM_UP + presses):
            if number == WARM_UP:
                ready.wait(PATIENCE_SECONDS)
            time.sleep(think_seconds * draw.uniform(0.5, 1.5) if number >= WARM_UP else 0)
            press(socket, screen, str(draw.randrange(10)), times if number >= WARM_UP else Times())


def sitting(web: WebProcess) -> ClientConnection:
    """Connect to the web socket as a browser does."""
    url = f"{web.url.replace('http', 'ws')}/_stcore/stream"
    return connect(url, subprotocols=[Subprotocol("streamlit")], max_size=None)


def press(socket: ClientConnection, screen: Screen, digit: str, times: Times) -> None:
    """Press one digit on the title that is on screen, and time the answer."""
    before, began, seen = screen.title, time.perf_counter(), None
    for message in answer(socket, pressed(screen, digit)):
        screen.take(message)
        if seen is None and screen.title != before:
            seen = time.perf_counter()
    if seen is None:
        times.refused += 1
        return
    times.next_title.append(1000 * (seen - began))
    times.answer.append(1000 * (time.perf_counter() - began))


def opening(name: str) -> Any:
    """Build the message of a browser that opens the Label page under this name."""
    message = BackMsg()
    message.rerun_script.query_string = f"annotator={name}"
    message.rerun_script.page_name = "label"
    return message


def pressed(screen: Screen, digit: str) -> Any:
    """Build the message of a press on the button of that digit."""
    message = BackMsg()
    message.rerun_script.query_string = ""
    message.rerun_script.fragment_id = screen.fragment
    state = message.rerun_script.widget_states.widgets.add()
    state.id, state.trigger_value = screen.digits[digit], True
    return message


def answer(socket: ClientConnection, question: Any) -> Iterator[Any]:
    """Send a message and yield what comes back, until the script has ended."""
    socket.send(question.SerializeToString())
    while True:
        message = ForwardMsg.FromString(socket.recv(PATIENCE_SECONDS))
        if message.WhichOneof("type") == "script_finished":
            return
        yield message


def percentile(times: list[float]) -> float:
    """Compute the 95th percentile."""
    return sorted(times)[int(0.95 * (len(times) - 1))]


if __name__ == "__main__":
    sys.exit(main())
