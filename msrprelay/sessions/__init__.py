"""The calls: what the SIP side's offers, answers and deletes do to sessions. Names no transport."""

from .admission import Admission, Room
from .branch import Rules
from .calls import Scheduler
from .legs import Ports
from .table import Sessions

__all__ = ["Admission", "Ports", "Room", "Rules", "Scheduler", "Sessions"]
