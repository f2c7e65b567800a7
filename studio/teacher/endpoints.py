"""Name an endpoint in a spec: its address, its model, and where its key is, which is never in the spec."""

import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from studio.contract import EndpointSpec, spec_error
from studio.errors import InputError
from studio.language import say
from studio.system.network import is_loopback
from studio.teacher.key import KEY_VARIABLE, URL_VARIABLE, key_place
from studio.team.rights import acts_as_owner
from studio.workspace import Workspace


def endpoint_spec(workspace: Workspace, *, base_url: str, model: str, **settings: object) -> EndpointSpec:
    """Build and validate the spec of an endpoint whose model answers titles.

    Raises:
        InputError: the address, the model or a setting cannot be used.
    """
    try:
        return EndpointSpec.model_validate(endpoint_values(workspace, base_url, model) | settings)
    except ValidationError as error:
        problem, remedy = spec_error(error)
        raise InputError(problem, remedy=remedy) from error


def endpoint_values(workspace: Workspace, base_url: str, model: str) -> dict[str, Any]:
    """Build the fields of a spec that name an endpoint, and where the key of its address is.

    Raises:
        InputError: the address cannot be used.
    """
    require_address(base_url)
    key_source = key_place(workspace.teacher_key, base_url)
    # A command of the owner has address and key from one hand; a page needs to be told whose the key is.
    has_bare_key = bool(os.environ.get(KEY_VARIABLE)) and not os.environ.get(URL_VARIABLE)
    if key_source is None and has_bare_key and acts_as_owner():
        key_source = "environment"
    return {
        "base_url": base_url.strip(),
        "model": model.strip(),
        "key_file": workspace.teacher_key if key_source == "file" else None,
        "key_env": KEY_VARIABLE if key_source == "environment" else None,
    }


def require_address(base_url: str) -> None:
    """Require an http(s) address without user, password, query or fragment.

    Raises:
        InputError: it is none. The message does not repeat it: it may hold a password.
    """
    try:
        parts = urlsplit(base_url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        bare = not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:
        usable, bare = False, True
    if usable and bare:
        return
    raise InputError(
        say("接口地址不可用。", "The endpoint's address cannot be used.")
        if not usable
        else say(
            "接口地址里不能带用户名、密码或参数。",
            "The address must not contain a user, a password or parameters.",
        ),
        remedy=say(
            "请填写 https://主机/v1 这样的地址，密钥另填。",
            "Enter an address such as https://host/v1, and the key separately.",
        ),
    )


def travels_in_the_clear(base_url: str) -> bool:
    """Return whether key and titles would cross a network unencrypted."""
    parts = urlsplit(base_url.strip())
    return parts.scheme == "http" and not is_loopback(parts.hostname)


def parse_fields(settings: Sequence[str]) -> dict[str, str | int | float | bool]:
    """Parse further fields of a request, each key=value; numbers, true and false are read as such.

    Raises:
        InputError: one has no `=`.
    """
    pairs = [setting.partition("=") for setting in settings]
    if wrong := [key for key, equals, _ in pairs if not equals or not key.strip()]:
        raise InputError(
            say(f"“{wrong[0]}”不是 key=value。", f"“{wrong[0]}” is not key=value."),
            remedy=say("请写成 repeat_penalty=1.2 这样。", "Write it like repeat_penalty=1.2."),
        )
    return {key.strip(): _value(value.strip()) for key, _, value in pairs}


def _value(text: str) -> str | int | float | bool:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
