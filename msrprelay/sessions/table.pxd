# The types with which Cython compiles table.py; the module runs without them, slower.
cimport cython

from .admission cimport Admission
from .branch cimport Branch
from .call cimport Call
from .calls cimport Calls
from .legs cimport Ports

cdef class Sessions:
    cdef object _feed, _ledger, _scheduler, _resolve
    cdef Calls _calls
    cdef Ports _ports
    cdef Admission _admission

    @cython.locals(call=Call, branch=Branch)
    cpdef offer(self, request)
    @cython.locals(call=Call, branch=Branch)
    cpdef answer(self, request)
    @cython.locals(call=Call)
    cpdef delete(self, request)
    cdef _admit(self, request)
    cdef _parse(self, request)
    cdef _branch(self, Call call)
    cdef _reply(self, event, Call call, request, description, done)
    @cython.locals(branch=Branch)
    cdef list _delete_branches(self, Call call, request)
    cdef _rolled_back(self, Call call, Branch branch, decision, reason)

cdef list _meant(Call call, via_branch)
cdef dict _untouched(request, description)
cdef dict _warned(request, bytes body, list warnings)
