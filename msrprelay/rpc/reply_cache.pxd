# The types with which Cython compiles reply_cache.py; the module runs without them, slower.
cimport cython

cdef class ReplyCache:
    cdef object _journal, _order
    cdef public double lifetime
    cdef public Py_ssize_t capacity, size, hits, dropped_early
    cdef dict _entries, _bodies

    cpdef find(self, tuple key, double now)
    cpdef store(self, tuple key, bytes reply, double now)
    cpdef bint reused(self, tuple key) except -1
    @cython.locals(cost=Py_ssize_t)
    cdef bint _keep(self, tuple key, tuple entry) except -1
    cdef _expire(self, double now)
    cdef _drop(self, tuple key)

cdef Py_ssize_t weight(tuple key, bytes reply) except -1

cpdef tuple key_of(origin, bytes cookie, bytes body)
