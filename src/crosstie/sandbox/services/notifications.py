"""Notifications: messages are kept, and sent to nobody."""

from __future__ import annotations

from crosstie.sandbox.books import Document, Shelf, fresh
from crosstie.sandbox.verb import Counterpart, Given, Verb


def send_message(shelf: Shelf, given: Given) -> Document:
    """Keep a message."""
    id = fresh()
    shelf.put("message", id, {"id": id, **given})
    return {"request_id": id, "status": "queued"}


COUNTERPART = Counterpart("notifications", {"send_message": Verb(send_message)})
