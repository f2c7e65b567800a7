"""Call a function in a process of its own, with a limit on its time and its memory.

What reads a file of unknown origin may spin or eat memory; in a process of its own it takes nobody else
with it. Function, arguments and result cross by pickle, between processes of ours only.
"""

import os
import pickle
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, ParamSpec, TypeVar, cast

from studio.errors import StudioError, UnreadableFile
from studio.language import current_language, say

P = ParamSpec("P")
T = TypeVar("T")

SECONDS = 30.0
MEBIBYTES = 2048
"""Memory that a call may take beyond what Python itself maps."""


def call_limited(
    function: Callable[P, T],
    *args: P.args,
    **keywords: P.kwargs,
) -> T:
    """Call a function of a module with the usual limits, and return its result.

    Raises:
        UnreadableFile: it took too long or too much memory, or its process broke down.
        StudioError: what the function raised.
    """
    return call_within(SECONDS, function, *args, **keywords)


def call_within(seconds: float, function: Callable[P, T], *args: P.args, **keywords: P.kwargs) -> T:
    """Call a function of a module, for at most so many seconds; otherwise as `call_limited`."""
    request = pickle.dumps(
        (function.__module__, function.__qualname__, args, keywords, current_language.get(), seconds)
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "studio.system.limited"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONSAFEPATH": "1"},
    )
    try:
        answer, _ = process.communicate(request, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise _too_slow(seconds) from None
    finally:
        # Also where the page that waits is left: nobody would take the answer.
        if process.poll() is None:
            process.kill()
            process.communicate()
    if process.returncode in (-signal.SIGXCPU, -signal.SIGKILL) and not answer:
        raise _too_slow(seconds)
    if process.returncode != 0:
        raise _broke_down(process.returncode)
    outcome, value = pickle.loads(answer)  # from a process of ours
    if outcome == "result":
        return cast(T, value)
    if outcome == "memory":
        raise _too_large()
    raise _rebuilt(*value)


def _too_slow(seconds: float) -> UnreadableFile:
    return UnreadableFile(
        say(
            f"读这个文件用了超过 {seconds:.0f} 秒，已停下。",
            f"Reading this file took more than {seconds:.0f} seconds; it was stopped.",
        ),
        remedy=say(
            "若文件确实很大，请用命令行 news-studio check 或 import；否则它可能已损坏。",
            "If it is that large, use news-studio check or import; otherwise it is probably damaged.",
        ),
        code="unreadable",
    )


def _too_large() -> UnreadableFile:
    return UnreadableFile(
        say(
            "读这个文件需要的内存太多，已停下。",
            "Reading this file takes too much memory; it was stopped.",
        ),
        remedy=say("请把文件分成几份，或另存为 csv 或 jsonl。", "Split it, or save it as csv or jsonl."),
        code="too_large",
    )


def _broke_down(code: int) -> UnreadableFile:
    return UnreadableFile(
        say(f"读这个文件的进程意外结束（{code}）。", f"The process that read this file broke down ({code})."),
        remedy=say("文件可能已损坏；请另存一份再试。", "It is probably damaged: save it anew and try again."),
        code="unreadable",
    )


def _rebuilt(kind: type[StudioError], args: tuple[Any, ...], state: dict[str, Any]) -> StudioError:
    """Rebuild an error as it was: its own constructor asks for more than its text."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


def _limit(seconds: float) -> None:
    """Limit this process: also when whoever started it is gone, it ends."""
    mapped = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: PTH123, SIM115
    most = mapped + (MEBIBYTES << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    used = int(seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (used, used + 1))


def _serve() -> None:
    """Read a call from standard input and write its outcome to standard output."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no part of the answer
    module, name, args, keywords, language, seconds = pickle.load(sys.stdin.buffer)
    current_language.set(language)
    function = getattr(import_module(module), name)
    _limit(seconds)
    answer: tuple[str, Any]
    try:
        answer = ("result", function(*args, **keywords))
    except StudioError as error:
        answer = ("error", (type(error), error.args, error.__dict__))
    except (MemoryError, RecursionError):
        answer = ("memory", None)
    with output:
        pickle.dump(answer, output)


if __name__ == "__main__":
    _serve()
