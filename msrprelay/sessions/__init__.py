"""The calls: what the SIP side's offers, answers and deletes do to sessions. Names no transport."""

from .branch import Rules
from .legs import Ports
from .table import Scheduler, Sessions

__all__ = ["Ports", "Rules", "Scheduler", "Sessions"]
