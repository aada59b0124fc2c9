"""The command line against the stage."""

from __future__ import annotations

import pytest

from tests.parts.command import Command
from tests.stage import Stage, Tenant


@pytest.fixture
def command(stage: Stage) -> Command:
    """`crosstie` as the operator of the stage."""
    return Command(stage.home, {"CROSSTIE_PORT": str(stage.port), "CROSSTIE_EGRESS_ALLOW": "127.0.0.0/8,::1/128"})


@pytest.fixture
def caller(command: Command, tenant: Tenant) -> Command:
    """`crosstie` as a tenant."""
    return Command(command.home, {**command.environ, "CROSSTIE_API_KEY": tenant.key})
