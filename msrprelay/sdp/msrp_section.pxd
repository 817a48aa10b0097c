# The types with which Cython compiles msrp_section.py; the module runs without them, slower.
cimport cython

from ..net.uri cimport Uri
from .lines cimport attributes_of, text

cdef class Connection:
    cdef readonly str family, host

cdef class MsrpSection:
    cdef readonly object index
    cdef readonly Py_ssize_t line, stop, begin, end
    cdef readonly object port
    cdef readonly bint tls
    cdef readonly tuple path
    cdef readonly Uri uri
    cdef readonly object setup
    cdef readonly Connection connection
    cdef readonly tuple fingerprints
    cdef readonly bint cema
    cdef readonly tuple problems
    cdef readonly bytes body
    cdef readonly bint anchor

    cpdef bint same_endpoint(self, MsrpSection before) except -1
