"""What access declares: tenants and API keys."""

from __future__ import annotations

from crosstie.access.key import API_KEYS
from crosstie.access.limit import quotas
from crosstie.access.tenant import TENANTS
from crosstie.access.user import USERS
from crosstie.access.vault import data_keys
from crosstie.declare.module import Module

MODULE = Module(
    "access", "Tenants and their credentials.", resources=(TENANTS, USERS, API_KEYS), tables=(data_keys, quotas)
)
