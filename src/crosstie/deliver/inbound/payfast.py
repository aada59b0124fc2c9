"""PayFast: an ordered MD5 over the form, then a question to its server (developers.payfast.co.za, ITN).

MD5 with a shared phrase is what PayFast has; that is why it wants to be asked.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from hashlib import md5
from typing import Any
from urllib.parse import quote_plus

from crosstie.deliver.inbound.confirm import Asker, Unsure
from crosstie.deliver.inbound.knock import FORM, Knock, Refused
from crosstie.deliver.inbound.proof import Options


def prove(knock: Knock, key: str, options: Options) -> None:
    """The signature is the last field and covers all before it, in their order, blanks included."""
    fields = knock.form
    if not fields or fields[-1][0] != "signature":
        raise Refused("missing_signature")
    content = encoded(fields[:-1])
    if key:
        content += f"&passphrase={_quoted(key)}"
    expected = md5(content.encode(), usedforsecurity=False).hexdigest().encode()
    if not hmac.compare_digest(expected, fields[-1][1].encode("utf-8", "surrogateescape").lower()):
        raise Refused("bad_signature")
    merchant = options.get("merchant_id")
    if merchant and dict(fields).get("merchant_id") != merchant:
        raise Refused("other_merchant")


def encoded(fields: Iterable[tuple[str, str]]) -> str:
    """A form as PHP's urlencode writes it: a tilde is encoded, too."""
    return "&".join(f"{name}={_quoted(value)}" for name, value in fields)


def _quoted(value: str) -> str:
    return quote_plus(value, safe="", errors="surrogateescape").replace("~", "%7E")


async def confirm(asker: Asker, knock: Knock, key: str, options: Options) -> Mapping[str, Any]:
    """Ask whether PayFast sent this."""
    url = f"{options['base_url'].rstrip('/')}/eng/query/validate"
    status, body = await asker.ask("POST", url, {"content-type": FORM}, encoded(knock.form[:-1]).encode())
    word = body.strip()
    if status == 200 and word == b"VALID":
        return {"by": "/eng/query/validate", "answer": "VALID"}
    if status == 200 and word == b"INVALID":
        raise Refused("denied")
    raise Unsure(f"it answered {status}")
