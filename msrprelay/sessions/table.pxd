# The types with which Cython compiles table.py; the module runs without them, slower.
cimport cython

from ..commands cimport Answer, Delete, Offer, SdpRequest
from ..offer_answer.changes cimport live_sections
from ..offer_answer.negotiation cimport Negotiation
from ..sdp.description cimport Description, parse
from .admission cimport Admission
from .branch cimport Branch
from .call cimport Call
from .calls cimport Calls
from .legs cimport Ports
from .report cimport describe
from .rewritten cimport Rewritten, passed_by

cdef class Sessions:
    cdef object _feed, _ledger, _scheduler, _resolve
    cdef Calls _calls
    cdef Ports _ports
    cdef Admission _admission
    cdef bint _stopping

    @cython.locals(call=Call, branch=Branch, description=Description, rewritten=Rewritten)
    cpdef offer(self, Offer request)
    @cython.locals(call=Call, branch=Branch, description=Description, rewritten=Rewritten)
    cpdef answer(self, Answer request)
    @cython.locals(call=Call)
    cpdef delete(self, Delete request)
    cdef _admit(self, Offer request)
    cdef Description _parse(self, SdpRequest request)
    cdef _branch(self, Call call)
    cdef dict _reply(self, event, Call call, SdpRequest request, Description description,
                     Rewritten done)
    @cython.locals(branch=Branch, negotiation=Negotiation)
    cdef list _delete_branches(self, Call call, Delete request)
    cdef _rolled_back(self, Call call, Branch branch, decision, reason)

cdef dict _untouched(SdpRequest request, Description description)
cdef dict _warned(SdpRequest request, bytes body, list warnings)
