"""Sites: properties at which work is done."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped

from crosstie.declare.field import choice, data, number, ref, text
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record
from crosstie.log.blank import erasing


class Site(Record):
    """A property at which work is done."""

    __tablename__ = "sites"

    client_id: Mapped[UUID] = ref("clients", doc="Whose property it is.")
    name: Mapped[str] = text(200, min=1, doc="What people call it.")
    kind: Mapped[str] = choice("home", "estate", "business", "other", doc="What it is.", default="home")
    street: Mapped[str] = text(300, min=1, personal=True, doc="Street and number.")
    city: Mapped[str | None] = text(100, nullable=True, doc="Town.")
    postal_code: Mapped[str | None] = text(20, nullable=True, doc="Postal code.")
    country: Mapped[str] = text(2, min=2, pattern="^[A-Z]{2}$", default="ZA", doc="ISO 3166 code.")
    latitude: Mapped[Decimal | None] = number(places=7, nullable=True, personal=True, doc="Degrees north.")
    longitude: Mapped[Decimal | None] = number(places=7, nullable=True, personal=True, doc="Degrees east.")
    access_notes: Mapped[str | None] = text(2000, nullable=True, personal=True, doc="Gate codes, dogs, keys.")
    external_ids: Mapped[dict[str, Any]] = data(doc="Its ids in other systems.")


#: what callers write
WRITTEN = (
    Site.client_id,
    Site.name,
    Site.kind,
    Site.street,
    Site.city,
    Site.postal_code,
    Site.country,
    Site.latitude,
    Site.longitude,
    Site.access_notes,
    Site.external_ids,
)

SITES = Resource(
    row=Site,
    name="sites",
    read=(
        Site.id,
        *WRITTEN,
        Site.created_at,
        Site.updated_at,
    ),
    write=WRITTEN,
    filter=(Site.client_id, Site.kind, Site.city),
    sort=(Site.name,),
    search=(Site.name, Site.street, Site.city),
    actions=(erasing("sites", "site"),),
)
