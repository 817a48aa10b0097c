# The types with which Cython compiles section.py; the module runs without them, slower.
cimport cython

from ..offer_answer.changes cimport SectionChange, other
from ..sdp.edit cimport SectionEdit
from ..sdp.msrp_section cimport MsrpSection
from .closed cimport Relayed
from .legs cimport Leg, Ports
from .plan cimport Plan, described, make_plan, path_said

cdef class Section:
    cdef public int index
    cdef public object policy, session, successor, former, reason, _revived_after
    cdef public dict legs
    cdef public Relayed earlier
    cdef public bint joined, waiting, paused
    cdef public Ports _ports
    cdef public object _tos, _idle_seconds, _answers
    cdef public dict _expected, _draining
    cdef public bint _leased, _unanswered
    cdef public tuple _alive, _asked, _names

    cpdef ready(self, SectionChange change)
    cpdef abandon(self)
    cdef _drop_successor(self)
    cpdef SectionEdit edit(self, Leg leg, setup, mark)
    cpdef expect(self, side, sources)
    @cython.locals(before=Leg, near=Leg)
    cpdef Plan plan(self, SectionChange change, str offerer, told, dialling, sources, str host)
    @cython.locals(leg=Leg, said=MsrpSection)
    cpdef tuple answer(self, SectionChange change, str offerer, Plan plan)
    cpdef ask(self, side)
    cpdef settle(self, side)
    cpdef pause(self, bint paused)
    cpdef has_closed(self, session, reason)
    cpdef close(self, reason, double linger_seconds)
    cpdef rest(self)
    cpdef release(self)
    cdef bint _needs_successor(self, SectionChange change) except -1
    cdef _reopen(self, dict legs)
    cdef tuple _tell(self)

cdef tuple _without(tuple items, gone)
