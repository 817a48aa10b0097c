# The types with which Cython compiles chance.py; the module runs without them, slower.

cdef bytes _block
cdef Py_ssize_t _used

cpdef bytes octets(Py_ssize_t count)
