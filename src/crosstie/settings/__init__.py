"""Every setting of an installation: what it means, what it is when nobody says, and which combinations are refused.

A setting comes from the environment (`CROSSTIE_PORT`), else from `crosstie.toml` in the working directory
(`port = 8080`), else it has its default. Nothing else in Crosstie reads the environment.
"""

from crosstie.settings.guards import networks
from crosstie.settings.source import Shown, load, show
from crosstie.settings.values import Settings

__all__ = ["Settings", "Shown", "load", "networks", "show"]
