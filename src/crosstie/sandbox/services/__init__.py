"""The counterparts: one file per service, one function per operation."""

from crosstie.sandbox.services import auth, inventory, iot, logistics, notifications, pos, projects, treasury
from crosstie.sandbox.verb import Counterpart

COUNTERPARTS: dict[str, Counterpart] = {
    each.COUNTERPART.service: each.COUNTERPART
    for each in (treasury, inventory, logistics, pos, iot, projects, notifications, auth)
}
