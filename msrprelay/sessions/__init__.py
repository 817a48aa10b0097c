"""The calls: what the SIP side's offers, answers and deletes do to sessions. Names no transport."""

from .admission import Admission, Room
from .calls import Scheduler
from .ledger import Ledger
from .legs import Ports
from .rules import Rules
from .table import Sessions

__all__ = ["Admission", "Ledger", "Ports", "Room", "Rules", "Scheduler", "Sessions"]
