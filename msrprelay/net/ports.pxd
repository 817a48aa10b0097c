# The types with which Cython compiles ports.py; the module runs without them, slower.

cdef class PortPool:
    cdef public list _free, _again
    cdef public object _ports, _below, _resting
    cdef public double _quarantine
    cdef public set _leased
    cdef public Py_ssize_t size

    cpdef lease(self, double now)
    cpdef double free(self, port, double now) except? -1
    cpdef put_back(self, port)
    cpdef _wake(self, double now)
