# The types with which Cython compiles ng.py; the module runs without them, slower.
cimport cython

from .dispatcher cimport Dispatcher, Outcome
from .reply_cache cimport ReplyCache, key_of

cdef class NgResponder:
    cdef public object _flush
    cdef object _throttle
    cdef Dispatcher _dispatcher
    cdef ReplyCache _cache
    cdef Py_ssize_t _longest
    cdef public object counts

    cpdef answer(self, bytes datagram, origin, double now)
    cpdef bytes exchange(self, bytes cookie, bytes body, origin, double now, largest=*)
    @cython.locals(outcome=Outcome)
    cdef tuple _perform(self, bytes body, origin, room=*)

cpdef bint is_bulky(bytes command, bytes payload) except -1
