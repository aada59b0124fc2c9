"""Compliance: requests of people about their data."""

from crosstie.declare.module import Module
from crosstie.modules.compliance.request import PRIVACY_REQUESTS

MODULE = Module("compliance", "Requests of people about their data.", resources=(PRIVACY_REQUESTS,))
