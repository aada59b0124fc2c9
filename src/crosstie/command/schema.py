"""The database brought to this version. What serves does without this module, and without the tools of migrations."""

from __future__ import annotations

from crosstie import app
from crosstie.catalog import catalogue
from crosstie.db import migrate
from crosstie.installation import Installation


async def bring(at: Installation) -> None:
    """Bring the database of an installation to this version. Raises ConfigurationError where its owner is not known."""
    await migrate.migrate(at.owner_dsn, catalogue().tables, app.functions(), at.roles)
