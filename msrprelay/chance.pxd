# The types with which Cython compiles chance.py; the module runs without them, slower.
cimport cython

cdef bytes _block
cdef Py_ssize_t _used

cpdef bytes octets(Py_ssize_t count)

@cython.locals(draw="unsigned long long", octet=cython.uchar)
cpdef unsigned long long below(unsigned long long limit) except? 0

# A slice of a pointer is one copy, without a slice object.
cdef bytes _part(const unsigned char *block, Py_ssize_t begin, Py_ssize_t end)
