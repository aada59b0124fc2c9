"""Auth service: tenants and users that it masters."""

from __future__ import annotations

from functools import partial

from crosstie.contracts import fact as facts
from crosstie.contracts.call import answered, ask, own, sent
from crosstie.contracts.fact import flag, id, many, thing, words
from crosstie.declare.module import Module
from crosstie.declare.service import Cached, Operation, Queued, Service, Stale
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

SERVICE = Service(
    "auth",
    "People and tenants, as an outside auth service keeps them.",
    (
        Operation(
            "sync_user", "POST", "/users/sync", "Make a user known, or change what is known of one.",
            answered(own("user-uuid", "user_id"), id("tenant_id"), flag("created", example=True)),
            sent(
                words("email", "wanjiku@example.com", required=True), id("user_id"),
                words("tenant_slug", "savanna-traders"),
                id("tenant_id"), thing("profile", {"name": "Wanjiku Kamau"}), many("roles", "manager"),
                words("status", "active"), words("service", "erp"),
            ),
            fallback=Queued(),
        ),
        Operation(
            "find_tenant", "GET", "/tenants/by-slug/{slug}", "Find a tenant and its outlets.",
            answered(
                own("tenant-uuid"), words("slug", "savanna-traders", required=True), words("name", "Savanna Traders"),
                words("status", "active", required=True), words("use_case", "retail"),
                many("outlets", {"id": "outlet-uuid", "name": "Nairobi"}),
            ),
            asks=(ask(words("slug", "savanna-traders"), "The tenant's short name."),),
            fallback=Stale(), cached=Cached(300, ("auth.tenant.updated",)),
        ),
    ),
)  # fmt: skip
MODULE = Module("contracts.auth", "The auth service.", events=EVENTS, services=(SERVICE,))
