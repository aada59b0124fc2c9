"""The table of contents of the product."""

from functools import cache

from crosstie.access.nouns import MODULE as ACCESS
from crosstie.contracts import erp, services, trades
from crosstie.declare.catalogue import Catalogue
from crosstie.deliver.nouns import MODULE as DELIVER
from crosstie.flows import MODULE as FLOWS
from crosstie.log.nouns import MODULE as LOG
from crosstie.modules.compliance import MODULE as COMPLIANCE
from crosstie.modules.crm import MODULE as CRM
from crosstie.modules.field import MODULE as FIELD
from crosstie.modules.notifications import MODULE as NOTIFICATIONS
from crosstie.modules.treasury import MODULE as TREASURY
from crosstie.services.nouns import MODULE as PROVIDERS
from crosstie.watch.nouns import MODULE as WATCH

CONTRACTS = (*services.MODULES, erp.MODULE, trades.MODULE)
MODULES = (ACCESS, LOG, DELIVER, PROVIDERS, WATCH, CRM, FIELD, TREASURY, NOTIFICATIONS, COMPLIANCE, FLOWS, *CONTRACTS)


@cache
def catalogue() -> Catalogue:
    """Everything that is declared. Raises DeclarationError where it contradicts itself."""
    return Catalogue(MODULES)
