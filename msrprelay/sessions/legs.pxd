# The types with which Cython compiles legs.py; the module runs without them, slower.
cimport cython

cdef class Ports:
    cdef object _dataplane, _new_pool, _clock, _ledger
    cdef tuple _interfaces
    cdef dict _pools

    cpdef free(self, dict legs)
    cdef _lease(self, leg)
    cdef _listen_somewhere(self, policy, dict leased, tos, idle_seconds)
    cdef _listen(self, policy, dict legs, tos, idle_seconds)

@cython.locals(uri=str)
cpdef list octets(tuple path)
