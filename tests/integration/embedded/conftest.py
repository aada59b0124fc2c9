from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.embedded.home import ME, USERS, Home, end, entered, make


@pytest.fixture
def folder() -> Iterator[Path]:
    with entered() as path:
        yield path


@pytest.fixture(scope="module", params=USERS)
def home(request: pytest.FixtureRequest) -> Iterator[Home]:
    """A HOME of ours or of an ordinary user. It lives through many tests, each of which begins with a start."""
    with entered() as path:
        made = make(path, request.param)
        yield made
        end(made)


@pytest.fixture
def fresh(folder: Path) -> Iterator[Home]:
    """A HOME of ours in which nothing was ever started."""
    made = make(folder, ME)
    yield made
    end(made)
