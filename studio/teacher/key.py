"""Store the API key of the teacher's endpoint.

Never in the database, a spec, a log or an error; a page can set and remove it, and
nothing hands it to a page. This module knows no endpoint.
"""

import os
import tempfile
from pathlib import Path
from typing import Literal

from studio.errors import InputError, TeacherUnavailable
from studio.language import say
from studio.system.atomic import guard_disk
from studio.team.rights import require_right

KEY_VARIABLE = "NEWS_STUDIO_TEACHER_KEY"


def key_place(file: Path) -> Literal["file", "environment"] | None:
    """Return the source of the key: the file before the environment; None without a key."""
    if file.exists():
        return "file"
    return "environment" if os.environ.get(KEY_VARIABLE) else None


def save_key(file: Path, key: str) -> None:
    """Store the key in a file, readable by its owner alone (mode 0600).

    Raises:
        InputError: it has characters that no HTTP header can carry.
    """
    require_right("teacher_drafts")
    key = key.strip()
    if not is_sendable(key):
        raise InputError(
            say("密钥里有空格或不能发送的字符。", "The key has spaces or characters that cannot be sent."),
            remedy=say("请重新复制密钥，不要带上别的文字。", "Copy the key again, without other text."),
        )
    with guard_disk(file):
        # mkstemp makes it 0600 from the first moment on.
        handle, name = tempfile.mkstemp(prefix=".teacher-", dir=file.parent)
        draft = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as text:
                text.write(key)
            draft.replace(file)
        except OSError:
            draft.unlink()
            raise


def remove_key(file: Path) -> None:
    """Delete the stored key, if there is one."""
    require_right("teacher_drafts")
    file.unlink(missing_ok=True)


def read_key(path: Path) -> str:
    """Read the key from its file.

    Raises:
        TeacherUnavailable: the file is gone, or holds no key.
    """
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        key = ""
    if not is_sendable(key):
        raise TeacherUnavailable(
            say(f"密钥文件 {path} 不可用。", f"The key file {path} cannot be used."),
            remedy=say("请在教师草稿页重新填写密钥。", "Enter the key again on the Teacher drafts page."),
        )
    return key


def is_sendable(key: str) -> bool:
    """Return whether an HTTP header can carry the key; the client's error for one that cannot repeats it."""
    return bool(key) and all("!" <= char <= "~" for char in key)
