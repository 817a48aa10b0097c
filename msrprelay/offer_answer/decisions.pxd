# The types with which Cython compiles decisions.py; the module runs without them, slower.
from ..sdp.description cimport Description
from .changes cimport Exchange

cdef class Message:
    cdef readonly Description description
    cdef readonly str terms, tag
    cdef readonly double at
    cdef readonly bytes reply

    cpdef bint same_request(self, Message asked) except -1
    cpdef Message replied(self, bytes reply)

cdef class Offered:
    cdef readonly str side, to_tag
    cdef readonly tuple sections, released
    cdef readonly Message message
    cdef readonly Py_ssize_t revision

cdef class Committed:
    cdef readonly str offerer
    cdef readonly bint again
    cdef readonly tuple sections, released
    cdef readonly Exchange exchange
    cdef readonly Message message
    cdef readonly Py_ssize_t revision

cdef class Ended:
    cdef readonly str reason
