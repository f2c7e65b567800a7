"""Keep the API keys of teachers' endpoints, each for the address that it was entered for.

Never in the database, a spec, a log or an error; a page can set and remove a key, and nothing hands
one to a page. A key is sent to its own address and to no other: whoever types another address
enters that one's key. The file is JSON, address to key. Knows no run; rights are asked by `keys`.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from studio.errors import InputError, TeacherUnavailable
from studio.language import say
from studio.system.atomic import guard_disk
from studio.system.documents import READ_FAULTS, parse_json, read_whole

KEY_VARIABLE = "NEWS_STUDIO_TEACHER_KEY"
URL_VARIABLE = "NEWS_STUDIO_TEACHER_URL"
"""The address for which the key of the environment is."""
_PORTS = {"http": 80, "https": 443}


def endpoint_of(base_url: str) -> str:
    """Return what a key is bound to: scheme, host and port of an address; "" for what is none."""
    try:
        parts = urlsplit(base_url.strip())
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}" if parts.hostname and port else ""


def key_place(file: Path, base_url: str) -> Literal["file", "environment"] | None:
    """Return the source of an address's key: the file before the environment; None without one."""
    if endpoint_of(base_url) in _stored(file):
        return "file"
    return "environment" if is_environments(base_url) else None


def is_environments(base_url: str) -> bool:
    """Return whether the environment has a key, and names this address for it."""
    named = endpoint_of(os.environ.get(URL_VARIABLE, ""))
    return bool(os.environ.get(KEY_VARIABLE)) and named != "" and named == endpoint_of(base_url)


def other_endpoints(file: Path, base_url: str) -> list[str]:
    """List the addresses for which there are keys, beside this one; what is kept is not told."""
    return sorted(set(_stored(file)) - {endpoint_of(base_url)})


def write_key(file: Path, key: str, base_url: str) -> None:
    """Store the key of an address in a file, readable by its owner alone (mode 0600).

    Raises:
        InputError: no address, or the key has characters that no HTTP header can carry.
    """
    key, endpoint = key.strip(), endpoint_of(base_url)
    if not endpoint:
        raise InputError(
            say("没有写明密钥属于哪个接口地址。", "The key has no address that it belongs to."),
            remedy=say("请先填写接口地址，再保存它的密钥。", "Enter the endpoint first, then save its key."),
        )
    if not is_sendable(key):
        raise InputError(
            say("密钥里有空格或不能发送的字符。", "The key has spaces or characters that cannot be sent."),
            remedy=say("请重新复制密钥，不要带上别的文字。", "Copy the key again, without other text."),
        )
    _write(file, {**_stored(file), endpoint: key})


def forget_key(file: Path, base_url: str) -> None:
    """Delete the stored key of an address, if there is one; a file that is not ours goes as a whole."""
    left = {endpoint: key for endpoint, key in _stored(file).items() if endpoint != endpoint_of(base_url)}
    if left:
        _write(file, left)
    else:
        file.unlink(missing_ok=True)


def read_key(path: Path, base_url: str) -> str:
    """Read the key of an address from the file.

    Raises:
        TeacherUnavailable: the file is gone, or holds no key for this address.
    """
    key = _stored(path).get(endpoint_of(base_url), "")
    if not is_sendable(key):
        raise TeacherUnavailable(
            say(
                f"密钥文件 {path} 里没有这个接口地址的密钥。",
                f"The key file {path} has no key for this endpoint's address.",
            ),
            remedy=say(
                "请在教师草稿页为这个地址填写密钥；密钥只发给它所属的地址。",
                "Enter the key of this address on the Teacher drafts page; a key is sent to its own "
                "address only.",
            ),
        )
    return key


def _stored(file: Path) -> dict[str, str]:
    """Read the keys by address; none where the file is not ours, such as a bare key of an older studio."""
    try:
        return {str(endpoint): str(key) for endpoint, key in parse_json(read_whole(file, 2**20)).items()}
    except READ_FAULTS:
        return {}


def _write(file: Path, keys: dict[str, str]) -> None:
    with guard_disk(file):
        # mkstemp makes it 0600 from the first moment on.
        handle, name = tempfile.mkstemp(prefix=".teacher-", dir=file.parent)
        draft = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as text:
                json.dump(keys, text)
            draft.replace(file)
        except OSError:
            draft.unlink()
            raise


def is_sendable(key: str) -> bool:
    """Return whether an HTTP header can carry the key; the client's error for one that cannot repeats it."""
    return bool(key) and all("!" <= char <= "~" for char in key)
