# The types with which Cython compiles flags.py; the module runs without them, slower.

cpdef str dashed(str name)
cpdef word(value)
cdef str text(bytes octets)
cpdef list words(value)
