# The types with which Cython compiles section.py; the module runs without them, slower.
from .legs cimport Ports

cdef class Section:
    cdef public int index
    cdef public object policy, session, successor, former, reason, earlier, _revived_after
    cdef public dict legs
    cdef public bint joined, waiting, paused
    cdef public Ports _ports
    cdef public object _tos, _idle_seconds, _answers
    cdef public dict _expected, _draining
    cdef public set _alive, _asked
    cdef public bint _leased, _unanswered
    cdef public tuple _names

    cpdef ready(self, change)
    cpdef abandon(self)
    cdef _drop_successor(self)
    cpdef edit(self, recipient, setup, mark)
    cpdef expect(self, side, sources)
    cpdef plan(self, change, offerer, told, dialling, sources)
    cpdef answer(self, change, plan)
    cpdef ask(self, side)
    cpdef settle(self, side)
    cpdef pause(self, bint paused)
    cpdef has_closed(self, session, reason)
    cpdef close(self, reason, double linger_seconds)
    cpdef rest(self)
    cpdef release(self)
    cdef bint _needs_successor(self, change) except -1
    cdef _reopen(self, dict legs)
    cdef _tell(self)
