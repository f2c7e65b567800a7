"""Write files atomically, and report a full disk in one way."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from studio.errors import DiskFull
from studio.language import say

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def guard_disk(place: Path) -> Iterator[None]:
    """Turn "no space left" while writing to `place` into DiskFull.

    The caller removes what it had half written.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DiskFull(
            say(
                f"磁盘已满或已达配额，无法写入 {place}。",
                f"The disk or quota is full: cannot write to {place}.",
            ),
            remedy=say(
                "请腾出空间后重试，之前的内容完好。", "Free some space and retry; all earlier work is intact."
            ),
        ) from error


@contextmanager
def in_one_step(out: Path) -> Iterator[Path]:
    """A draft beside `out`, to be made a file or a folder; it becomes `out` when the block succeeds.

    Raises:
        DiskFull: nothing of it is left.
    """
    draft = out.with_name(f".{out.name}.part")
    with guard_disk(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield draft
            draft.rename(out)
        finally:
            if draft.is_dir():
                shutil.rmtree(draft, ignore_errors=True)
            else:
                draft.unlink(missing_ok=True)
