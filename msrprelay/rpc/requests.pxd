# The types with which Cython compiles requests.py; the module runs without them, slower.
cimport cython

from ..commands cimport SdpRequest
from .flags cimport word, words

@cython.locals(strings=dict, readers=dict)
cpdef sdp_request(kind, dict raw, origin)

@cython.locals(key=str)
cpdef dict normal(dict raw)

cpdef check_identifiers(SdpRequest request, Py_ssize_t longest)

cdef _check(str said, str key, Py_ssize_t longest)

cdef text(dict fields, str key)

cdef needed(dict fields, str key)

cdef word_set(value)

cdef one_of(dict fields, str key, tuple choices)

cdef whole(dict fields, str key)

cdef read_string(dict draft, str name, value)

cdef int WIDEST
cdef Py_UCS4 SPACE, UNDERSCORE
