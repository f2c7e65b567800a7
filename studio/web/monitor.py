"""Answer a monitor: `/healthz`, `/metrics`."""

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from studio.operations.health import check_health, metrics_text
from studio.workspace import open_workspace


def monitor_routes(base: str) -> list[Route]:
    """List the routes; a monitor that has no cookie sends the token of `access.key` as its bearer."""
    return [Route(f"{base}/healthz", healthz), Route(f"{base}/metrics", metrics)]


# Plain functions, not coroutines: Starlette runs them in a thread, so that no page waits for a disk.


def healthz(_request: Request) -> JSONResponse:
    """Answer 200 while every part of the studio works, else 503 with what does not."""
    health = check_health(open_workspace())
    return JSONResponse(health.to_json(), status_code=200 if health.is_well else 503)


def metrics(_request: Request) -> Response:
    """Answer with the numbers of the workspace in Prometheus' text form."""
    return Response(metrics_text(open_workspace()), media_type=CONTENT_TYPE_LATEST)
