"""Read the API keys of a server: from a file or the environment, never from a command line or a spec."""

import os
from pathlib import Path

from studio.errors import InputError, UnreadableFile
from studio.language import say
from studio.system.network import is_loopback


def read_keys(key_file: Path | None, key_env: str | None) -> list[str]:
    """Read the keys, one a line of the file.

    Raises:
        InputError: a key was promised and there is none, or one that no HTTP header can carry.
    """
    keys: list[str] = []
    if key_file is not None:
        try:
            keys += key_file.read_text(encoding="ascii").split("\n")
        except (OSError, ValueError) as error:
            raise UnreadableFile(
                say(f"读不到密钥文件 {key_file}。", f"Cannot read the key file {key_file}."),
                remedy=say("文件里每行一个密钥，只含英文字符。", "It has one key a line, in ASCII."),
            ) from error
    if key_env is not None:
        keys.append(os.environ.get(key_env, ""))
    keys = [key.strip() for key in keys if key.strip()]
    if any(not ("!" <= char <= "~") for key in keys for char in key):
        raise InputError(
            say("密钥里有空格或不能发送的字符。", "A key has spaces or characters that cannot be sent."),
            remedy=say("请换一个密钥。", "Choose another key."),
        )
    if not keys and (key_file or key_env):
        raise InputError(
            say(
                f"{key_file or key_env} 里没有密钥，服务不会不设防地启动。",
                f"{key_file or key_env} holds no key, and the server does not start without its guard.",
            ),
            remedy=say("请写入密钥后再启动。", "Put a key there and start again."),
        )
    return keys


def require_key_beyond_loopback(host: str, keys: list[str]) -> None:
    """Refuse to listen where other machines can reach a server that asks for no key.

    Raises:
        InputError: host is not a loopback address, and there is no key.
    """
    if keys or is_loopback(host):
        return
    raise InputError(
        say(
            f"{host} 能从别的机器访问，没有 API 密钥时不在上面监听。",
            f"{host} can be reached from other machines; without an API key the server does not "
            "listen there.",
        ),
        remedy=say(
            "请用 --api-key-file 或环境变量 NEWS_STUDIO_SERVER_KEY 给出密钥，或只用 127.0.0.1。",
            "Name a key by --api-key-file or NEWS_STUDIO_SERVER_KEY, or stay on 127.0.0.1.",
        ),
    )
