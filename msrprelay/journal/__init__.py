"""What must outlive the process: an append-only, checksummed journal of keys and values.

It knows nothing of calls. The first copy is in memory that a keeper can hold (a memfd) and is
written before a reply leaves; the second one is behind it, on disk.
"""

from .disk import DiskCopy
from .file import Found, Unreadable, read
from .frames import Entry
from .journal import Journal
from .moment import Moment

__all__ = ["DiskCopy", "Entry", "Found", "Journal", "Moment", "Unreadable", "read"]
