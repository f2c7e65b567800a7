"""Keep the endpoints that one talks to: address and model, never a key."""

import os
from dataclasses import dataclass

from studio.errors import InputError
from studio.language import say
from studio.serving.client import ChatEndpoint
from studio.store import Store, writing
from studio.teacher.endpoints import require_address
from studio.teacher.key import KEY_VARIABLE, key_place, read_key
from studio.team.rights import require_right
from studio.workspace import Workspace

LONGEST = 500


@dataclass(frozen=True, kw_only=True)
class SavedEndpoint:
    """A model at an OpenAI-compatible address."""

    id: int
    base_url: str
    model: str


def list_endpoints(db: Store) -> list[SavedEndpoint]:
    """List the endpoints, the first added first."""
    rows = db.execute("select id, base_url, model from chat_endpoints order by id").fetchall()
    return [SavedEndpoint(id=number, base_url=url, model=model) for number, url, model in rows]


def add_endpoint(db: Store, base_url: str, model: str, *, author: str) -> SavedEndpoint:
    """Add an endpoint; the same one is kept once.

    Raises:
        InputError: the address cannot be used, or no model is named.
        NotAllowed: the person may not serve models.
    """
    require_right("serve_models", db, author)
    base_url, model = base_url.strip().rstrip("/")[:LONGEST], model.strip()[:LONGEST]
    require_address(base_url)
    if not model:
        raise InputError(
            say("没有写模型名。", "No model is named."),
            remedy=say(
                "请填写接口上的模型名，例如 qwen3:8b。", "Enter the model's name there, such as qwen3:8b."
            ),
        )
    with writing(db):
        db.execute(
            "insert into chat_endpoints (base_url, model, author) values (?, ?, ?) on conflict do nothing",
            [base_url, model, author],
        )
    return next(one for one in list_endpoints(db) if (one.base_url, one.model) == (base_url, model))


def remove_endpoint(db: Store, number: int, *, author: str) -> None:
    """Remove an endpoint; conversations that were held with it stay."""
    require_right("serve_models", db, author)
    with writing(db):
        db.execute("delete from chat_endpoints where id = ?", [number])


def open_endpoint(workspace: Workspace, endpoint: SavedEndpoint) -> ChatEndpoint:
    """Join an endpoint with the key of its address, for the client alone; without one where none is kept.

    Raises:
        NotAllowed: the person of the session may not serve models.
        TeacherUnavailable: the file of keys cannot be used.
    """
    require_right("serve_models")
    place = key_place(workspace.teacher_key, endpoint.base_url)
    key = ""
    if place == "file":
        key = read_key(workspace.teacher_key, endpoint.base_url)
    elif place == "environment":
        key = os.environ.get(KEY_VARIABLE, "")
    return ChatEndpoint(base_url=endpoint.base_url, model=endpoint.model, api_key=key)
