# The types with which Cython compiles timers.py; the module runs without them, slower.

cdef class Timers:
    cdef object _loop, _numbers, _handle
    cdef public list _heap
    cdef dict _callbacks

    cpdef call_at(self, double when, callback)
    cdef _arm(self)
