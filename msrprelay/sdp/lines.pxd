# The types with which Cython compiles lines.py; the module runs without them, slower.
cimport cython

cdef int LF, COLON, EQUALS, LOWER_A, LOWER_M

@cython.locals(found=list, stop=Py_ssize_t, kind=bytes)
cpdef tuple attributes_of(const unsigned char *body, Py_ssize_t at, Py_ssize_t end)

cpdef Py_ssize_t media_line(const unsigned char *body, Py_ssize_t at, Py_ssize_t end)

@cython.locals(count=Py_ssize_t)
cpdef Py_ssize_t lines_in(const unsigned char *body, Py_ssize_t at, Py_ssize_t end)

cpdef Py_ssize_t line_end(const unsigned char *body, Py_ssize_t at, Py_ssize_t end)

@cython.locals(end=Py_ssize_t, behind=Py_ssize_t)
cpdef bytes kind_of(const unsigned char *body, Py_ssize_t at, Py_ssize_t stop)

cpdef bytes value_of(const unsigned char *body, Py_ssize_t at, Py_ssize_t stop)

cpdef Py_ssize_t colon(const unsigned char *body, Py_ssize_t at, Py_ssize_t stop)

cpdef bytes stripped(const unsigned char *body, Py_ssize_t begin, Py_ssize_t end)

cpdef Py_ssize_t past_blanks(const unsigned char *body, Py_ssize_t at, Py_ssize_t end)

cpdef Py_ssize_t past_field(const unsigned char *body, Py_ssize_t at, Py_ssize_t end)

cdef Py_ssize_t past_name(const unsigned char *body, Py_ssize_t at, Py_ssize_t end)

# A slice of a pointer is one copy, without a slice object.
cpdef bytes part(const unsigned char *body, Py_ssize_t begin, Py_ssize_t end)

cpdef str text(bytes raw)
