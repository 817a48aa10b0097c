# The types with which Cython compiles changes.py; the module runs without them, slower.
cimport cython

from ..sdp.description cimport Description
from ..sdp.msrp_section cimport MsrpSection

cdef frozenset _NEITHER, _ONLY_A, _ONLY_B, _BOTH

cdef class SectionChange:
    cdef readonly object index, change
    cdef readonly MsrpSection a, b
    cdef readonly frozenset moved

    cpdef MsrpSection of(self, side)

cdef class Exchange:
    cdef readonly str offerer
    cdef readonly Description a, b
    cdef readonly frozenset live

    cpdef Description of(self, side)

@cython.locals(live=dict, section=MsrpSection)
cpdef dict live_sections(Description description)

cpdef str other(str side)

@cython.locals(changes=list, moves=bint, old=MsrpSection, new=MsrpSection, theirs=MsrpSection,
               a=MsrpSection, b=MsrpSection)
cpdef tuple offer_changes(Exchange committed, str side, dict wanted)

@cython.locals(changes=list, a_moves=bint, b_moves=bint, a=MsrpSection, b=MsrpSection,
               old_a=MsrpSection, old_b=MsrpSection)
cpdef tuple exchange_changes(Exchange before, Exchange after, dict asked)

cdef list _either(dict wanted, Exchange committed)

cdef MsrpSection _section(Exchange exchange, str side, index)

cdef _change(MsrpSection old, MsrpSection new, bint moved)

cdef bint _moved(MsrpSection old, MsrpSection new) except -1

cdef frozenset _sides(bint a, bint b)
