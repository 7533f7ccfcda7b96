"""The route to the pictures of runs: a browser fetches each once, and keeps it.

    {base}/api/runs/{id}/{kind}/{step}.png?v={version}

A picture stays as it is, but for one that a resumed run writes again: then the page asks for another version. Who may
not see a run learns no more than that there is nothing.
"""

import re

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from models.errors import UserError

_PATH = "/api/runs"
_STEP = re.compile(r"[0-9]{1,15}")  # Starlette's own `int` fails with numbers of thousands of digits
_FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}


def route(base: str) -> Route:
    """Return the route.

    Args:
        base: In front of all addresses, as `/apps/latent`; or empty.
    """
    return Route(f"{base}{_PATH}/{{id}}/{{kind}}/{{step}}.png", _answer)


def address(base: str, id: str) -> str:
    """Return where the pictures of a job are, without kind, step and version.

    Args:
        base: As for `route`.
        id: Of the job.
    """
    return f"{base}{_PATH}/{id}"


def _answer(request: Request) -> Response:  # Starlette calls what is not async in a thread of its own
    picture = _picture(request)
    if picture is None:
        return PlainTextResponse("Not Found", 404, {"cache-control": "no-store"})
    return Response(picture, headers=_FOR_EVER, media_type="image/png")


def _picture(request: Request) -> bytes | None:
    """Return the PNG that is asked for; None if there is none, or none for who asks."""
    from explorer import jobs  # takes a while, in which the server could not answer yet
    from models.training.runs import SNAPSHOTS, Run

    wanted = request.path_params
    if wanted["kind"] not in SNAPSHOTS or not _STEP.fullmatch(wanted["step"]):
        return None
    client = request.client.host if request.client else None
    whose = jobs.seen_by(request.headers, client, request.cookies)
    try:
        run = Run(jobs.queue().folder(wanted["id"], whose))
        return run.picture(wanted["kind"], int(wanted["step"])).read_bytes()
    except (UserError, OSError):
        return None
