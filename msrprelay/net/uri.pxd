# The types with which Cython compiles uri.py; the module runs without them, slower.
cimport cython

cdef class Uri:
    cdef public str scheme
    cdef public str host
    cdef public object port
    cdef public str session_id
    cdef public str transport
    cdef tuple _compared

cdef int ZERO

cpdef Uri parse_uri(str text)

@cython.locals(begin=Py_ssize_t, end=Py_ssize_t, colon=Py_ssize_t, slash=Py_ssize_t, port=cython.int)
cdef Uri _usual(str text)

@cython.locals(at=Py_ssize_t, char=Py_UCS4)
cdef bint _is_name(str text, Py_ssize_t begin, Py_ssize_t end)

@cython.locals(at=Py_ssize_t, char=Py_UCS4, number=cython.int)
cdef int _port(str text, Py_ssize_t begin, Py_ssize_t end)

cdef bint _is_visible(str text, Py_ssize_t begin, Py_ssize_t end)

cdef Uri _any(str text)

cpdef bint same_host(str one, str other)

cpdef str host_port(str host, object port)

cpdef str bracketed(str host)
