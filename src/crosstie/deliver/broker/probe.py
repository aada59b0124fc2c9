"""A look at a broker for the doctor: reachable, the credential good, what events go out to there or makeable."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from crosstie.deliver.broker.address import Address
from crosstie.deliver.broker.build import Terms, line, names
from crosstie.deliver.broker.line import CONFIRM


async def probe(address: Address, terms: Terms, types: Iterable[str]) -> str | None:
    """What stands in the way of sending to a broker; None: nothing. Nothing is sent, and nothing is read from it."""
    made = line(address, names(terms, types), reads=False)
    try:
        async with asyncio.timeout(CONFIRM):
            await made.open()
    except Exception as error:  # noqa: BLE001  # whatever a client raises is the answer
        return address.hide(f"{type(error).__name__}: {error}"[:300])
    finally:
        await made.close()
    return None
