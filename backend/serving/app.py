"""Build the HTTP app over loaded models."""

import time
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from backend.serving import chat as chats
from backend.serving import classify as classification
from backend.serving.activity import Activity, WatchActivity
from backend.serving.errors import add_handlers
from backend.serving.gate import Gate
from backend.serving.metrics import CountRequests, Metrics
from backend.serving.served_models import ModelSet, Served
from studio.system.network import is_loopback

PATHS = frozenset(
    [
        "/health",
        "/metrics",
        "/v1/models",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/classify",
        "/v1/apply-template",
    ]
)


def make_app(
    models: ModelSet, activity: Activity, keys: Sequence[str] = (), names: Sequence[str] = ()
) -> FastAPI:
    """Build the app.

    Args:
        models: what answers.
        activity: is told of every request that asks a model for something.
        keys: API keys, any of which opens; none: open to all.
        names: this machine's names, beside those of the spec.
    """
    spec = models.spec
    # No pages of its own: they would load their scripts from the network.
    app = FastAPI(title="News Studio", docs_url=None, redoc_url=None, openapi_url=None)
    add_handlers(app)
    metrics = Metrics(lambda: models.loop.running, lambda: models.loop.waiting)
    _add_routes(app, models, metrics)
    # The last added is the outermost: whoever is turned away is counted, and CORS covers refusals too.
    app.add_middleware(WatchActivity, activity=activity, paths=PATHS - {"/health", "/metrics", "/v1/models"})
    app.add_middleware(
        Gate,
        hosts=[spec.host, *spec.allowed_hosts, *names],
        keys=keys,
        most_bytes=spec.max_body_bytes,
        addresses=not is_loopback(spec.host),
    )
    if spec.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(spec.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["Retry-After"],
        )
    app.add_middleware(CountRequests, metrics=metrics, paths=PATHS)
    return app


def _add_routes(app: FastAPI, models: ModelSet, metrics: Metrics) -> None:
    began = int(time.time())

    def entry(served: Served) -> dict[str, Any]:
        return {
            "id": served.name,
            "object": "model",
            "created": began,
            "owned_by": "news-studio",
            "max_model_len": models.context,
        }

    # Coroutines all of them: a pool of threads would be full when it matters.
    @app.api_route("/health", methods=["GET", "HEAD"])
    async def health() -> dict[str, Any]:
        return {"status": "ok", "running": models.loop.running, "waiting": models.loop.waiting}

    @app.get("/metrics")
    async def numbers() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/v1/models")
    async def list_models() -> dict[str, Any]:
        return {"object": "list", "data": [entry(served) for served in models.all]}

    @app.get("/v1/models/{name:path}")
    async def retrieve_model(name: str) -> dict[str, Any]:
        return entry(models.find(name))

    @app.post("/v1/chat/completions", response_model=None)
    async def chat(request: Request) -> Response:
        return await chats.chat(request, models, metrics)

    @app.post("/v1/completions", response_model=None)
    async def complete(request: Request) -> Response:
        return await chats.complete(request, models, metrics)

    @app.post("/v1/apply-template", response_model=None)
    async def apply_template(request: Request) -> Response:
        return await chats.apply_template(request, models)

    @app.post("/v1/classify", response_model=None)
    async def classify(request: Request) -> Response:
        return await classification.classify(request, models, metrics)
