"""A sealer as a process of its own, to be killed: `python -m tests.integration.audit.sealing HOME APP WORKER`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from crosstie.access.seal import Sealer
from crosstie.app import Dsns, anchors, opened
from crosstie.settings import Settings


async def main(home: Path, dsns: Dsns) -> None:
    """Seal until killed."""
    settings = Settings(home=home, log_level="warning")
    async with opened(settings, dsns, work=False, name="sealer") as process:
        await Sealer(process.log.worker, process.vault.witness, anchors(settings, process.vault)).run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Dsns(sys.argv[2], sys.argv[3])))
