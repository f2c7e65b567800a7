"""Simulate a full disk for one call: the kernel's own error, in a child process.

The limit holds for every file of a process, the log of the test run included, so it is
never set in the process of pytest.
"""

import os
import resource
from collections.abc import Callable


def error_on_a_full_disk(limit: int, action: Callable[[], object]) -> str:
    """Run `action` where no file can grow beyond `limit` bytes; returns its error, "Name: text", or ""."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        error = ""
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            action()
        except Exception as caught:  # noqa: BLE001 - it is reported to the parent, whatever it is
            error = f"{type(caught).__name__}: {caught}"
        finally:
            os.write(writing, error.encode())
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        return pipe.read()
