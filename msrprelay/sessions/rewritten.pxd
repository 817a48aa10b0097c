# The types with which Cython compiles rewritten.py; the module runs without them, slower.
cimport cython

from ..sdp.description cimport Description
from ..sdp.msrp_section cimport MsrpSection

cdef class Rewritten:
    cdef readonly bytes body
    cdef readonly tuple warnings, denied, unresolved
    cdef readonly bint repeated

    cpdef list warned(self)

cpdef Rewritten repeated(decision)

@cython.locals(said=list, section=MsrpSection)
cpdef list passed_by(Description description)
