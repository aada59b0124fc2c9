"""Auth service: tenants and users that it masters."""

from __future__ import annotations

from functools import partial

from crosstie.contracts import fact as facts
from crosstie.contracts.fact import id, many, words
from crosstie.declare.module import Module
from crosstie.log.event import DIRECTORY

fact = partial(facts.fact, producers=("auth",), consumers=("crosstie", "erp"))
_TENANT = (
    id("tenant_id", required=True), words("name", "Savanna Traders"), words("slug", "savanna-traders"),
    words("status", "active"), many("outlets", {"id": "outlet-uuid", "name": "Nairobi"}),
)  # fmt: skip
_USER = (
    id("user_id", required=True), words("email", "wanjiku@example.com"), words("full_name", "Wanjiku Kamau"),
    many("roles", "manager"), words("status", "active"),
)  # fmt: skip
_PERSONAL = ("email", "full_name")

_PLACE = (id("tenant_id"), words("name", "Nairobi"), words("code", "NBO"), words("status", "active"))

EVENTS = (
    fact(
        "auth.tenant.created", "A tenant was made in the auth service.", *_TENANT,
        subject="auth_tenant", scope=DIRECTORY,
    ),
    fact(
        "auth.tenant.updated", "A tenant changed in the auth service.", *_TENANT,
        subject="auth_tenant", scope=DIRECTORY,
    ),
    fact("auth.user.created", "A user was made.", *_USER, subject="auth_user", personal=_PERSONAL, scope="users:write"),
    fact("auth.user.updated", "A user changed.", *_USER, subject="auth_user", personal=_PERSONAL, scope="users:write"),
    fact(
        "auth.tenant.branch.created", "A tenant opened a branch.", id("branch_id", required=True), *_PLACE,
        subject="auth_branch", consumers=("erp",),
    ),
    fact(
        "auth.outlet.created", "An outlet was made.", id("outlet_id", required=True), *_PLACE,
        subject="auth_outlet", consumers=("erp",),
    ),
    fact(
        "auth.outlet.updated", "An outlet changed.", id("outlet_id", required=True), *_PLACE,
        subject="auth_outlet", consumers=("erp",),
    ),
)  # fmt: skip
MODULE = Module("contracts.auth", "Events of the auth service.", events=EVENTS)
