# The types with which Cython compiles admission.py; the module runs without them, slower.

cdef class Admission:
    cdef public object room, counts
    cdef public bint refusing
    cdef object _clock, _strain, _taken
    cdef double _tokens, _filled

    cdef list _all_taken(self, Py_ssize_t sessions, Py_ssize_t joined)
    cdef bint _take_token(self) except -1
    cdef _refuse(self, what, reason)
