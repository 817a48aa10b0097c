# The types with which Cython compiles lines.py; the module runs without them, slower.
cimport cython

cdef int COLON, UPPER_A, UPPER_Z

@cython.locals(lines=list, line=bytes)
cpdef tuple attributes_of(bytes body, Py_ssize_t begin, Py_ssize_t end)

@cython.locals(name=bytes, char=cython.uchar)
cpdef bytes name_of(bytes line)

cpdef bytes value_of(bytes line)

@cython.locals(fields=list, first=Py_ssize_t, end=Py_ssize_t)
cpdef list fields_of(bytes line, Py_ssize_t begin)

cpdef bytes stripped(bytes line, Py_ssize_t begin, Py_ssize_t end)

cpdef Py_ssize_t past_blanks(bytes line, Py_ssize_t at)

cpdef Py_ssize_t past_field(bytes line, Py_ssize_t at)

# A slice of a pointer is one copy, without a slice object.
cpdef bytes part(const unsigned char *line, Py_ssize_t begin, Py_ssize_t end)

cpdef bytes as_ended(bytes text, bytes line)

@cython.locals(at=Py_ssize_t)
cdef Py_ssize_t _colon(bytes line)
