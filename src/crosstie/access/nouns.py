"""What access declares: tenants, their people, their credentials, and what was done with them."""

from __future__ import annotations

from crosstie.access.audit import AUDIT_ENTRIES
from crosstie.access.domain import tenant_domains
from crosstie.access.export import EXPORTS
from crosstie.access.issuer import TRUSTED_ISSUERS
from crosstie.access.key import AGED, API_KEYS
from crosstie.access.limit import quotas
from crosstie.access.oauth.app import OAUTH_APPS
from crosstie.access.oauth.tables import TABLES as OAUTH
from crosstie.access.outlet import OUTLETS
from crosstie.access.passkey import passkeys
from crosstie.access.role import ROLES
from crosstie.access.seal import audit_heads
from crosstie.access.secret import SECRETS
from crosstie.access.session import RENEWED, SESSIONS
from crosstie.access.setting import SETTINGS
from crosstie.access.tenant import TENANTS
from crosstie.access.throttle import throttles
from crosstie.access.ticket import stream_tickets
from crosstie.access.usage import key_usage
from crosstie.access.user import EVENTS, USERS
from crosstie.access.vault import data_keys
from crosstie.declare.module import Module
from crosstie.log.trail import audit_pending

MODULE = Module(
    "access",
    "Tenants, their people and their credentials.",
    resources=(
        TENANTS,
        ROLES,
        OUTLETS,
        USERS,
        SESSIONS,
        API_KEYS,
        SECRETS,
        SETTINGS,
        OAUTH_APPS,
        TRUSTED_ISSUERS,
        AUDIT_ENTRIES,
        EXPORTS,
    ),
    tables=(
        tenant_domains, data_keys, quotas, throttles, passkeys, key_usage, stream_tickets, *OAUTH, audit_pending,
        audit_heads,
    ),
    events=(*EVENTS, RENEWED, AGED),
)  # fmt: skip
