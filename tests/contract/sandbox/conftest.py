"""A sandbox of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from tests.parts.outside import Outside, standing


@pytest.fixture
def outside() -> Iterator[Outside]:
    with standing() as found:
        yield found


@pytest.fixture
def caller(outside: Outside) -> Iterator[httpx2.Client]:
    with outside.client() as found:
        yield found
