"""Parse typed or pasted model paths and hub ids, and suggest what was likely meant.

The mistakes that people make: quotes and blanks around the path, the hub's name where a
folder is wanted, a page's address, a Windows path on another system.
"""

import re
from collections.abc import Collection
from difflib import get_close_matches
from urllib.parse import unquote, urlsplit

from studio.errors import ModelUnusable
from studio.language import say
from studio.system.documents import typed_path

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_WINDOWS = re.compile(r"(?P<drive>[A-Za-z]):[\\/](?P<rest>.*)")
_QUOTES = "\"'“”‘’「」`"
_HUBS = ("modelscope.cn", "modelscope.ai", "huggingface.co", "hf-mirror.com")


def tidy(text: str) -> str:
    """Strip what copying brings along: blanks, quotes, `file://`."""
    text = text.strip().strip(_QUOTES).strip()
    return unquote(text.removeprefix("file://")) if text.startswith("file://") else text


def hub_id(text: str) -> str | None:
    """Parse a hub id, owner/name, or the address of a model's page; None for other texts."""
    text = tidy(text)
    if "://" in text or text.startswith(_HUBS):
        parts = urlsplit(text if "://" in text else f"https://{text}")
        if not (parts.hostname or "").removeprefix("www.").startswith(_HUBS):
            return None
        segments = [segment for segment in parts.path.split("/") if segment and segment != "models"]
        text = "/".join(segments[:2])
    return text if HUB_ID.fullmatch(text) else None


def not_found(text: str, known: Collection[str]) -> ModelUnusable:
    """Build the error for a text that names no model and no folder; suggests what was likely meant."""
    windows = _WINDOWS.fullmatch(text)
    model_id = hub_id(text)
    if not text:
        return ModelUnusable(
            say("没有写模型。", "No model was named."),
            remedy=say("可用的模型见 news-studio models。", "news-studio models lists what there is."),
        )
    if windows:
        return _windows_path(text, windows)
    close = get_close_matches(text, known, n=1, cutoff=0.75)
    if close:
        return ModelUnusable(
            say(f"没有名为 {text} 的模型。", f"There is no model {text}."),
            remedy=say(f"是不是 {close[0]}？", f"Did you mean {close[0]}?"),
        )
    if model_id:
        return ModelUnusable(
            say(f"这台机器上没有模型 {model_id}。", f"The model {model_id} is not on this machine."),
            remedy=say(
                f"请先下载：在模型页，或用 news-studio models download {model_id}。",
                f"Download it first, on the Models page or with: news-studio models download {model_id}",
            ),
        )
    path = typed_path(text)
    existing = next((parent for parent in path.parents if parent.exists()), path)
    return ModelUnusable(
        say(f"没有模型文件夹 {path}。", f"There is no model folder {path}."),
        remedy=say(
            f"请检查路径：存在的只到 {existing} 为止。可用的模型见 news-studio models。",
            f"Check the path: it exists as far as {existing}. news-studio models lists what there is.",
        ),
    )


def _windows_path(text: str, match: re.Match[str]) -> ModelUnusable:
    rest = match["rest"].replace("\\", "/")
    return ModelUnusable(
        say(
            f"{text} 是 Windows 路径，工作室运行在 Linux 或 macOS 上。",
            f"{text} is a Windows path; the studio runs on Linux or macOS.",
        ),
        remedy=say(
            f"在 WSL 里它是 /mnt/{match['drive'].lower()}/{rest}；在别的机器上请先把文件夹拷过去。",
            f"In WSL it is /mnt/{match['drive'].lower()}/{rest};"
            " on another machine, copy the folder there first.",
        ),
    )
