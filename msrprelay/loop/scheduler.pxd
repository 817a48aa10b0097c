# The types with which Cython compiles scheduler.py; the module runs without them, slower.
from .timers cimport Timers

cdef class LoopScheduler:
    cdef object _loop
    cdef Timers _timers
    cdef set _tasks

    cpdef time(self)
    cpdef call_at(self, double when, callback)
