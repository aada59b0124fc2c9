"""Auth: people by their e-mail address, and tenants by their short name."""

from __future__ import annotations

from crosstie.sandbox.books import Document, Shelf, fresh
from crosstie.sandbox.verb import Counterpart, Given, Refused, Verb

TENANTS = (("tenant-uuid", "savanna-traders", "Savanna Traders"), ("outeniqua-uuid", "demo", "Outeniqua Trades"))


def seed(shelf: Shelf) -> None:
    """Two tenants."""
    for id, slug, name in TENANTS:
        outlets = [{"id": "outlet-uuid", "name": "Nairobi"}]
        found = {"id": id, "slug": slug, "name": name, "status": "active", "use_case": "retail", "outlets": outlets}
        shelf.put("tenant", id, found)


def sync_user(shelf: Shelf, given: Given) -> Document:
    """Make a user known, or change what is known."""
    known = shelf.find("user", email=given["email"].casefold())
    id = known["user_id"] if known else given.get("user_id") or fresh()
    tenant = given.get("tenant_id") or (
        _tenant(shelf, given["tenant_slug"])["id"] if given.get("tenant_slug") else None
    )
    user = (known or {}) | {name: value for name, value in given.items() if value is not None}
    user |= {"user_id": id, "email": given["email"].casefold(), "tenant_id": tenant}
    shelf.put("user", id, user)
    shelf.tell(
        "user.updated" if known else "user.created", user_id=id, email=given["email"],
        full_name=(given.get("profile") or {}).get("name"), roles=given.get("roles"), status=given.get("status"),
    )  # fmt: skip
    return {"user_id": id, "tenant_id": tenant, "created": known is None}


def find_tenant(shelf: Shelf, given: Given) -> Document:
    """A tenant by its short name."""
    return _tenant(shelf, given["slug"])


def _tenant(shelf: Shelf, slug: str) -> Document:
    found = shelf.find("tenant", slug=slug)
    if found is None:
        raise Refused("not_found", "There is no such tenant.", 404)
    return found


COUNTERPART = Counterpart(
    "auth", {"sync_user": Verb(sync_user), "find_tenant": Verb(find_tenant, ("slug",))}, seed
)  # fmt: skip
