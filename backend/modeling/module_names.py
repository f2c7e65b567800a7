"""Find the modules that a spec names, or list the valid names in an error.

A name is the last part of a module's path, or more of its end: q_proj, self_attn.q_proj.
"""

from collections.abc import Iterable, Sequence

from torch import nn
from transformers.pytorch_utils import Conv1D

from studio.errors import ModelUnusable
from studio.language import say


def split_names(text: str) -> list[str]:
    """Split a comma-separated field into names."""
    return [name.strip() for name in text.split(",") if name.strip()]


def linear_modules(model: nn.Module) -> list[str]:
    """List the paths of the linear layers, the head included."""
    return [path for path, module in model.named_modules() if isinstance(module, nn.Linear | Conv1D)]


def modules_with_parameters(model: nn.Module) -> list[str]:
    """List the paths of the modules that hold parameters themselves: linear layers, norms, embeddings."""
    return [
        path for path, module in model.named_modules() if path and any(True for _ in module.parameters(False))
    ]


def find_modules(wanted: Sequence[str], paths: Iterable[str], field: str, *, also: str = "") -> list[str]:
    """Find the paths that end in one of the names.

    Args:
        wanted: names as the spec gives them.
        paths: of the modules to choose from.
        field: of the spec, for the error.
        also: another value that the field takes, for the error.

    Raises:
        ModelUnusable: a name matches no module; the remedy lists the valid ones.
    """
    paths = list(paths)
    matched = {name: [p for p in paths if p == name or p.endswith(f".{name}")] for name in wanted}
    require_known(
        [name for name in wanted if not matched[name]],
        sorted({path.rpartition(".")[2] for path in paths}),
        field,
        also=also,
    )
    found = {path for name in wanted for path in matched[name]}
    return [path for path in paths if path in found]


def require_known(unknown: Sequence[str], valid: Sequence[str], field: str, *, also: str = "") -> None:
    """Refuse unknown names.

    Raises:
        ModelUnusable: there are some; the remedy lists the valid ones.
    """
    if not unknown:
        return
    listed = [*([also] if also else []), *valid]
    raise ModelUnusable(
        say(
            f"模型没有这些模块：{'、'.join(unknown)}。",
            f"The model has no modules named {', '.join(unknown)}.",
        ),
        remedy=say(f"{field} 可用：{'、'.join(listed)}。", f"{field} takes {', '.join(listed)}."),
    )
