"""Write files atomically, and translate a full disk to one error."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from studio.errors import DiskFull
from studio.language import say

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def guard_disk(path: Path) -> Iterator[None]:
    """Translate "no space left" while writing to `path` to DiskFull.

    The caller removes what it had half written.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DiskFull(
            say(
                f"磁盘已满或已达配额，无法写入 {path}。",
                f"The disk or quota is full: cannot write to {path}.",
            ),
            remedy=say(
                "请腾出空间后重试，之前的内容完好。", "Free some space and retry; all earlier work is intact."
            ),
        ) from error


@contextmanager
def in_one_step(out: Path) -> Iterator[Path]:
    """Write a file or folder atomically: yields a draft path beside `out`, renamed to `out` on success.

    Raises:
        DiskFull: the draft was removed.
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
