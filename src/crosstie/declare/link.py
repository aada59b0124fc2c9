"""Links: what whoever holds a signed address may do without a credential, over the API and on a plain page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from crosstie.declare.field import Field


@dataclass(frozen=True, slots=True)
class Claim:
    """What a signed address says: the tenant, the record it is for, and who was given it."""

    tenant_id: UUID
    about: Mapping[str, Any]
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class LinkVerb:
    """One thing that the holder may do. `run` is async (unit, claim, given) and returns the document to show."""

    method: Literal["GET", "POST"]
    verb: str
    run: Callable[..., Awaitable[Any]]
    doc: str
    given: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """The same for people: a page without scripts, whose form's `action` names the verb.

    `draw` is (document or None, language, problem or None, what was sent) and returns HTML in which `style` stands.
    """

    path: str
    draw: Callable[..., str]
    style: str
    #: the verb that a mail program runs for its reader with one request (RFC 8058)
    one_click: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """`/api/v1/<name>/{token}` and `/api/v1/<name>/{token}/<verb>`. The token is signed for this name alone."""

    name: str
    doc: str
    verbs: tuple[LinkVerb, ...]
    #: what every verb answers
    answer: tuple[Field, ...]
    page: Page | None = None
    #: the type of actor that a holder is, in events
    actor: str = "client"
