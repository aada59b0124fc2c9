"""Passkeys (WebAuthn): a key in the person's device signs a challenge, after the device has asked who holds it.

A passkey is found by the handle that the device gives back, tenant and user: nothing is looked up across tenants.
"""

from __future__ import annotations

import os
from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import sqlalchemy as sa
import webauthn
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from crosstie.access import link, throttle
from crosstie.access.login import FROM, REFUSED
from crosstie.access.session import Sessions, SignedIn, person
from crosstie.access.throttle import Limit
from crosstie.access.user import USERS, User
from crosstie.db.engine import Connection
from crosstie.db.statement import Statement
from crosstie.declare.row import Row
from crosstie.errors import Forbidden, LinkExpired, Unauthorized
from crosstie.kit import clock, ids
from crosstie.log import change
from crosstie.log.event import Actor
from crosstie.log.unit import Cipher, Unit

CHALLENGE = "passkey"
ANSWERED = timedelta(minutes=5)
NOBODY = UUID(int=0)
#: of one user
MOST = 20

passkeys = sa.Table(
    "passkeys",
    Row.metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("credential", sa.LargeBinary, nullable=False),
    sa.Column("public_key", sa.LargeBinary, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False, comment="How often the device says that it has signed."),
    sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("used_at", sa.DateTime(timezone=True)),
    sa.ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name="fk_passkeys_user_id"),
    sa.UniqueConstraint("tenant_id", "user_id", "credential", name="uq_passkeys_credential"),
)
KEEP = Statement(
    "INSERT INTO passkeys (tenant_id, id, user_id, credential, public_key, count, made_at)"
    " VALUES ($1::uuid, $2::uuid, $3::uuid, $4::bytea, $5::bytea, $6::bigint, $7::timestamptz)",
    "1234567",
)
USED = Statement(
    "UPDATE passkeys SET count = $3::bigint, used_at = $4::timestamptz WHERE tenant_id = $1::uuid AND id = $2::uuid",
    "1234",
)
DROP = Statement("DELETE FROM passkeys WHERE tenant_id = $1::uuid AND id = $2::uuid AND user_id = $3::uuid", "123")


def possible(address: str) -> bool:
    """Whether browsers make passkeys for this installation: its address must be a name."""
    try:
        ip_address(urlsplit(address).hostname or "")
    except ValueError:
        return True
    return False


async def listed(connection: Connection, user_id: UUID) -> list[dict[str, Any]]:
    """A user's passkeys, oldest first: id, made_at, used_at, credential."""
    rows = await connection.fetch("SELECT * FROM passkeys WHERE user_id = $1 ORDER BY id", user_id)
    return [dict(row) for row in rows]


def offer(cipher: Cipher, address: str) -> tuple[str, str]:
    """What a browser must be asked to sign in with a passkey: its options (JSON), and the token of the challenge."""
    challenge = os.urandom(32)
    options = webauthn.generate_authentication_options(
        rp_id=_host(address), challenge=challenge, user_verification=UserVerificationRequirement.REQUIRED
    )
    return webauthn.options_to_json(options), _token(cipher, NOBODY, NOBODY, challenge)


def offer_new(cipher: Cipher, address: str, found: SignedIn, known: list[dict[str, Any]]) -> tuple[str, str]:
    """The same for a new passkey of whoever is signed in; a device that has one is not asked for another."""
    challenge = os.urandom(32)
    options = webauthn.generate_registration_options(
        rp_id=_host(address),
        rp_name=f"Crosstie {found.person.firm}",
        user_id=found.tenant_id.bytes + found.user_id.bytes,
        user_name=found.person.email,
        user_display_name=found.person.name or found.person.email,
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=each["credential"]) for each in known],
    )
    return webauthn.options_to_json(options), _token(cipher, found.tenant_id, found.user_id, challenge)


async def add(unit: Unit, address: str, user_id: UUID, token: str, answer: str) -> None:
    """Keep the passkey that a device made for this user. Raises Forbidden where the answer does not hold."""
    row = await unit.get(User, user_id, lock=True)
    if len(await listed(unit.connection, user_id)) >= MOST:
        raise Forbidden(f"A user has at most {MOST} passkeys.")
    challenge = await _challenge(unit, token, unit.tenant_id, user_id)
    try:
        made = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=_host(address),
            expected_origin=address,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError):
        raise Forbidden("The passkey could not be verified.") from None
    key = (made.credential_id, made.credential_public_key, made.sign_count)
    unit.write(KEEP, [unit.tenant_id, ids.uuid7(), user_id, *key, unit.now])
    change.tell(unit, USERS, "user.passkey_added", row)


async def remove(unit: Unit, user_id: UUID, id: UUID) -> None:
    """Forget a passkey of a user."""
    row = await unit.get(User, user_id, lock=True)
    unit.write(DROP, [unit.tenant_id, id, user_id])
    change.tell(unit, USERS, "user.passkey_removed", row)


async def sign_in(sessions: Sessions, address: str, token: str, answer: str, ip: str | None, agent: str | None) -> str:
    """The cookie of a new sign-in: the device has asked for finger, face or PIN, so that it counts as two factors.

    Raises Unauthorized, the same for unknown and wrong ones, and TooManyRequests.
    """
    log, origin = sessions.log, f"from {throttle.network(ip)}"
    await throttle.take(log.app, log.cipher.pepper, (Limit(origin, *FROM),))
    try:
        handle = parse_authentication_credential_json(answer).response.user_handle or b""
    except (WebAuthnException, ValueError):
        handle = b""
    if len(handle) != 32:
        raise Unauthorized(REFUSED)
    tenant_id, user_id = UUID(bytes=handle[:16]), UUID(bytes=handle[16:])
    async with log.unit(tenant_id, Actor("user", str(user_id))) as unit:
        whose = await person(unit.connection, tenant_id, user_id)
        if whose is None or not whose.active or not whose.local:
            raise Unauthorized(REFUSED)
        await _prove(unit, address, user_id, token, answer)
        cookie = await sessions.start(unit, user_id, ("passkey",), ip, agent)
    await throttle.clear(log.app, log.cipher.pepper, (), origin)
    return cookie


async def _prove(unit: Unit, address: str, user_id: UUID, token: str, answer: str) -> None:
    credential = parse_authentication_credential_json(answer).raw_id
    select = "SELECT * FROM passkeys WHERE user_id = $1 AND credential = $2 FOR UPDATE"
    row = await unit.connection.fetchrow(select, user_id, credential)
    if row is None:
        raise Unauthorized(REFUSED)
    try:
        proved = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=await _challenge(unit, token, NOBODY, NOBODY),
            expected_rp_id=_host(address),
            expected_origin=address,
            credential_public_key=row["public_key"],
            credential_current_sign_count=row["count"],
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError):
        raise Unauthorized(REFUSED) from None
    unit.write(USED, [unit.tenant_id, row["id"], proved.new_sign_count, unit.now])


def _host(address: str) -> str:
    return urlsplit(address).hostname or ""


def _token(cipher: Cipher, tenant_id: UUID, user_id: UUID, challenge: bytes) -> str:
    about = {"user": str(user_id), "challenge": challenge.hex()}
    return link.make(cipher, CHALLENGE, tenant_id, about, clock.now() + ANSWERED)


async def _challenge(unit: Unit, token: str, tenant_id: UUID, user_id: UUID) -> bytes:
    """The challenge of a token, which is used up. Raises LinkExpired, TooManyRequests for one that was used."""
    claim = link.read(unit.log.cipher, CHALLENGE, token, unit.now)
    if (claim.tenant_id, claim.about["user"]) != (tenant_id, str(user_id)):
        raise LinkExpired("The challenge was made for another user.")
    once = Limit(f"challenge {claim.about['challenge']}", 1, int(2 * ANSWERED.total_seconds()))
    await throttle.take(unit.connection, unit.log.cipher.pepper, (once,))
    return bytes.fromhex(claim.about["challenge"])
