# The types with which Cython compiles session_level.py; the module runs without them, slower.
cimport cython

from ..commands cimport SdpRequest
from ..sdp.description cimport Description
from ..sdp.edit cimport SectionEdit
from ..sdp.msrp_section cimport Connection
from .legs cimport Leg

cdef class SessionLevel:
    cdef public dict versions, addresses

    cpdef know(self, recipient, Leg leg)
    @cython.locals(edit=SectionEdit)
    cpdef bytes rewrite(self, SdpRequest request, Description description, recipient, dict edits)
    cdef bytes _stamped(self, recipient, bytes body, bint forced)

cpdef head(SdpRequest request, Connection ours)
