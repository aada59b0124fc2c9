"""Treasury: money that was received."""

from crosstie.declare.module import Module
from crosstie.modules.treasury.payment import PAYMENTS

MODULE = Module("treasury", "Payments.", resources=(PAYMENTS,))
