"""Clients: people and firms that work is done for."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Mapped

from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, choice, data, many, text
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record
from crosstie.declare.shape import Nested
from crosstie.log.blank import erasing

CONTACT = Nested(
    (
        Field(kinds.Text(200, min=1), name="name", doc="The person's name."),
        Field(kinds.Text(100), name="role", doc="What they do there.", nullable=True),
        Field(kinds.Text(254, format="email"), name="email", doc="E-mail address.", nullable=True),
        Field(kinds.Text(40), name="phone", doc="Telephone number.", nullable=True),
    )
)
ADDRESS = Nested(
    (
        Field(kinds.Choice(("billing", "postal", "physical")), name="kind", doc="What it is for."),
        Field(kinds.Text(300, min=1), name="street", doc="Street and number."),
        Field(kinds.Text(100), name="city", doc="Town.", nullable=True),
        Field(kinds.Text(20), name="postal_code", doc="Postal code.", nullable=True),
        Field(kinds.Text(2, min=2, pattern="^[A-Z]{2}$"), name="country", doc="ISO 3166 code.", default="ZA"),
    )
)


class Client(Record):
    """A person or a firm that work is done for."""

    __tablename__ = "clients"

    name: Mapped[str] = text(200, min=1, personal=True, doc="Name of the person or firm.")
    kind: Mapped[str] = choice("person", "firm", doc="Whether a person or a firm.", default="person")
    email: Mapped[str | None] = text(254, format="email", nullable=True, personal=True, doc="E-mail address.")
    phone: Mapped[str | None] = text(40, nullable=True, personal=True, doc="Telephone number.")
    tax_number: Mapped[str | None] = text(40, nullable=True, personal=True, doc="Tax registration number.")
    contacts: Mapped[list[dict[str, Any]]] = many(CONTACT, personal=True, doc="People to talk to.", max=50)
    addresses: Mapped[list[dict[str, Any]]] = many(ADDRESS, personal=True, doc="Where bills and post go.", max=20)
    notes: Mapped[str | None] = text(5000, nullable=True, personal=True, doc="What to know about them.")
    external_ids: Mapped[dict[str, Any]] = data(doc="Their ids in other systems.")


#: what callers write
WRITTEN = (
    Client.name,
    Client.kind,
    Client.email,
    Client.phone,
    Client.tax_number,
    Client.contacts,
    Client.addresses,
    Client.notes,
    Client.external_ids,
)

CLIENTS = Resource(
    row=Client,
    name="clients",
    read=(
        Client.id,
        *WRITTEN,
        Client.created_at,
        Client.updated_at,
    ),
    write=WRITTEN,
    filter=(Client.kind, Client.email),
    sort=(Client.name,),
    search=(Client.name, Client.email, Client.phone),
    actions=(erasing("clients", "client"),),
)
