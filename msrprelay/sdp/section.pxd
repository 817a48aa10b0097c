# The types with which Cython compiles section.py; the module runs without them, slower.
cimport cython

from ..uri cimport Uri, parse_uri, same_host
from .lines cimport attributes_of, fields_of, name_of, part, value_of

cdef int MOST_URIS, LONGEST_PATH, ZERO, FOUR, NINE
cdef dict _PROTOS, _SETUPS

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

cdef class MediaLine:
    cdef object port
    cdef bint star, tls

cdef class Said:
    cdef bint accepts, cema
    cdef Connection connection
    cdef object setup
    cdef tuple fingerprints
    cdef list path
    cdef Py_ssize_t path_lines

    @cython.locals(line=bytes)
    cdef _read(self, list lines)

    @cython.locals(value=bytes)
    cdef _take(self, bytes name, bytes line)

@cython.locals(tokens=list)
cpdef MediaLine parse_media(bytes line)

@cython.locals(said=Said, path=tuple, uri=Uri, problems=list, connection=Connection)
cpdef MsrpSection parse_section(
    bytes body, Py_ssize_t index, Py_ssize_t line, Py_ssize_t begin, list lines, MediaLine media,
    Said common
)

@cython.locals(total=Py_ssize_t, line=bytes)
cpdef Py_ssize_t octets(list lines)

@cython.locals(end=Py_ssize_t)
cpdef Connection parse_connection(bytes line)

cdef str text(bytes raw)

cdef Uri _first_uri(tuple path)

cdef bint _is_too_long(tuple path)

cdef _judge_path(tuple path, Uri uri, Py_ssize_t path_lines, MediaLine media, list problems)

cdef _judge_host(Uri uri, Connection connection, list problems)

@cython.locals(number=cython.int, digit=cython.uchar)
cdef _port(bytes token)

cdef _is_tls(bytes proto)
