# The types with which Cython compiles report.py; the module runs without them, slower.
cimport cython

from ..offer_answer.negotiation cimport Negotiation
from .branch cimport Branch
from .call cimport Call
from .closed cimport Relayed
from .legs cimport Leg
from .section cimport Section

@cython.locals(branches=list, entries=list, reply=dict)
cpdef dict describe(Call call, tuple asked=*)

@cython.locals(section=Section, total=Relayed)
cdef dict _totals(list entries)

cdef _detail(Call call, branch, Section section, report)

@cython.locals(branch=Branch, medias=dict, partners=dict, mine=list, told=list)
cdef dict _tags(Call call, list branches, list entries)

@cython.locals(leg=Leg, partner=Leg)
cdef _media(Section section, report, side)
