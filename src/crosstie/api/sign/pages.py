"""Every page with which people sign in."""

from __future__ import annotations

from crosstie.access.user import RESETS
from crosstie.api.operation import Handler
from crosstie.api.sign.account import Account
from crosstie.api.sign.door import Door
from crosstie.api.sign.forgot import Forgot
from crosstie.api.sign.invitation import Invitation
from crosstie.api.sign.passkey import Passkey
from crosstie.api.sign.second import Second
from crosstie.api.sign.status import Status


def routes(door: Door) -> list[tuple[str, str, Handler]]:
    """Path, method, handler of every page."""
    reset, forgot = Invitation(door, RESETS), Forgot(door)
    second, invitation, account, passkey = Second(door), Invitation(door), Account(door), Passkey(door)
    status = Status(door)
    return [
        ("/login", "GET", door.show_login),
        ("/login", "POST", door.log_in),
        ("/login/code", "GET", second.show_code),
        ("/login/code", "POST", second.give_code),
        ("/login/factor", "GET", second.show_factor),
        ("/login/factor", "POST", second.add_factor),
        ("/login/passkey", "POST", passkey.sign_in),
        ("/login/passkey.js", "GET", passkey.script),
        ("/logout", "GET", door.show_logout),
        ("/logout", "POST", door.log_out),
        ("/invitation/{token}", "GET", invitation.show),
        ("/invitation/{token}", "POST", invitation.accept),
        ("/reset/{token}", "GET", reset.show),
        ("/reset/{token}", "POST", reset.accept),
        ("/forgot", "GET", forgot.show),
        ("/forgot", "POST", forgot.send),
        ("/account", "GET", account.show),
        ("/account", "POST", account.act),
        ("/status", "GET", status.show),
    ]
