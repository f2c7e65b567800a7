"""Decide which model folders may bring pickled weights and code: none, unless an admin names it.

Both can run anything on this machine as soon as they are read. The list comes from
outside the model: STUDIO_ALLOW_UNSAFE, absolute folders separated as in PATH, set by
whoever starts the worker. A model cannot allow itself.
"""

import json
import os
from pathlib import Path

from studio.errors import ModelUnusable
from studio.language import say

ALLOWED = "STUDIO_ALLOW_UNSAFE"
_PICKLES = ("*.bin", "*.pth", "*.pt", "*.ckpt", "*.pkl")


def is_allowed(folder: Path) -> bool:
    """Whether an admin allows pickled weights and own code for exactly this folder."""
    named = [Path(text) for text in os.environ.get(ALLOWED, "").split(os.pathsep) if text]
    return folder.resolve() in [path.resolve() for path in named if path.is_absolute()]


def require_safe(folder: Path) -> None:
    """Refuse a folder that can only be loaded by running what it brings, unless that is allowed.

    Raises:
        ModelUnusable: its weights are pickles only, or its model type exists only as its own code.
    """
    if is_allowed(folder):
        return
    if not any(folder.glob("*.safetensors")):
        pickled = sorted({file.name for pattern in _PICKLES for file in folder.glob(pattern)})
        if pickled:
            raise ModelUnusable(
                say(
                    f"{folder} 只有 pickle 权重（{pickled[0]}）；读取它可能执行任意代码，因此不读取。",
                    f"{folder} has pickled weights only ({pickled[0]}); reading them can run any code.",
                ),
                remedy=say(
                    f"请下载 safetensors 版本；或由管理员为这个模型单独放行（{ALLOWED}）。",
                    f"Download the safetensors files, or let an admin allow this one model ({ALLOWED}).",
                ),
            )
    if needs_own_code(folder):
        raise ModelUnusable(
            say(
                f"{folder} 自带代码（config.json 的 auto_map），transformers 不认识它的模型类型；"
                "自带代码不执行。",
                f"{folder} brings its own code (auto_map in config.json) and transformers does not know "
                "its model type; such code is not run.",
            ),
            remedy=say(
                f"请换用 transformers 支持的版本；或由管理员为这个模型单独放行（{ALLOWED}）。",
                "Use a version that transformers supports, "
                f"or let an admin allow this one model ({ALLOWED}).",
            ),
        )


def needs_own_code(folder: Path) -> bool:
    """Whether the model can only be built by code in its folder."""
    # Here, not above: is_allowed alone needs no transformers.
    from transformers import CONFIG_MAPPING

    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False  # the loader has the better error
    return (
        isinstance(config, dict)
        and bool(config.get("auto_map"))
        and config.get("model_type") not in CONFIG_MAPPING
    )
