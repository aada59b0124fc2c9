"""Customers: clients and their sites."""

from crosstie.declare.module import Module
from crosstie.modules.crm.client import CLIENTS
from crosstie.modules.crm.site import SITES

MODULE = Module("crm", "Clients and sites.", resources=(CLIENTS, SITES))
