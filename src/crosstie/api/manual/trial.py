"""`/reference/try`: Swagger UI from files that came with the installation, pointed at the API's own description."""

from __future__ import annotations

from functools import cache
from importlib.metadata import distribution
from pathlib import Path

from starlette.requests import Request

from crosstie.api.operation import Handler
from crosstie.errors import ConfigurationError, NotFound
from crosstie.log.idempotency import Answer

ROOT = "/reference/try"
#: the package that carries Swagger UI's files; its own code, which is for another framework, is not imported
PACKAGE = "flask-swagger-ui"
HERE = Path(__file__).parent
KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".png": "image/png"}
#: Swagger UI draws its pictures from data: addresses; all else is ours, and nothing is evaluated
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


@cache
def files() -> dict[str, Path]:
    """Every file that the page loads, by name."""
    place = Path(str(distribution(PACKAGE).locate_file("flask_swagger_ui/dist")))
    theirs = {name: place / name for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")}
    if not all(path.is_file() for path in theirs.values()):
        raise ConfigurationError("The files of Swagger UI are missing: reinstall Crosstie.")
    return theirs | {name: HERE / name for name in ("try.js", "try.css")}


def routes() -> list[tuple[str, str, Handler]]:
    """The page, and the files that it loads."""
    version = distribution(PACKAGE).version
    page = (HERE / "try.html").read_text("utf-8").replace("{version}", version).encode()
    headers = {"content-type": "text/html; charset=utf-8", "content-security-policy": POLICY}
    headers |= {"referrer-policy": "no-referrer"}

    async def show(request: Request) -> Answer:
        return Answer(200, page, headers)

    async def file(request: Request) -> Answer:
        path = files().get(request.path_params["name"])
        if path is None or request.path_params["version"] != version:
            raise NotFound("There is nothing at this address.")
        kept = "public, max-age=31536000, immutable" if path.parent != HERE else "no-cache"
        return Answer(200, path.read_bytes(), {"content-type": KINDS[path.suffix], "cache-control": kept})

    return [(ROOT, "GET", show), (f"{ROOT}/{{version}}/{{name}}", "GET", file)]
