# The types with which Cython compiles closed.py; the module runs without them, slower.
cimport cython

cdef class Relayed:
    cdef public long long octets, chunks, errors

    cpdef add(self, report)
