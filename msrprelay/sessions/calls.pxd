# The types with which Cython compiles calls.py; the module runs without them, slower.
cimport cython

from .branch cimport Branch
from .call cimport Call, earlier
from .section cimport Section

cdef class Calls:
    cdef public object rules, ended, counts
    cdef public dict live
    cdef public double seconds
    cdef object _scheduler, _feed, _ledger, _emptied
    cdef dict _owners
    cdef set _joined

    cpdef start(self, call_id)
    cpdef add(self, Call call)
    cpdef record(self, Call call)
    @cython.locals(branch=Branch)
    cpdef leave(self, Call call, key, reason, double linger)
    cpdef end(self, Call call, reason, dialog)
    @cython.locals(call=Call, section=Section)
    cpdef notice(self, notice)
    cpdef arm(self, Call call)
    cpdef review(self, Call call, bint waited=*)
    cdef _tell_emptied(self)
    @cython.locals(branch=Branch)
    cdef _lost(self, Call call, Section section)
    cdef _closed(self, Call call, Section section, notice)
