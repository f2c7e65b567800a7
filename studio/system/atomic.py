"""Write files atomically, and translate a full disk to one error."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from studio.errors import DiskFull, NotWritable
from studio.language import say

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.EIO, errno.ENOTDIR}


@contextmanager
def guard_disk(path: Path | None = None) -> Iterator[None]:
    """Translate what a disk refuses while writing: no space to DiskFull, no permission to NotWritable.

    The caller removes what it had half written.

    Args:
        path: what is written; None: what the system's error names.
    """
    try:
        yield
    except OSError as error:
        path = path or Path(str(error.filename or "?"))
        if error.errno in _FORBIDDEN:
            raise _not_writable(path, error) from error
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


def _not_writable(path: Path, error: OSError) -> NotWritable:
    return NotWritable(
        say(
            f"无法读写 {error.filename or path}：{error.strerror}。",
            f"Cannot read or write {error.filename or path}: {error.strerror}.",
        ),
        remedy=say(
            "请检查该文件和文件夹的权限，以及磁盘是否以只读方式挂载；之前的内容完好。",
            "Check the permissions of the file and its folder, and whether the disk is mounted read-only; "
            "all earlier work is intact.",
        ),
    )


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
