# The types with which Cython compiles reading.py; the module runs without them, slower.
cimport cython

from ..net.uri cimport Uri, parse_uri, same_host
from .lines cimport colon, kind_of, line_end, part, past_blanks, past_field, text, value_of
from .msrp_section cimport Connection, MsrpSection

cdef int MOST_URIS, LONGEST_PATH, STAR, ZERO, FOUR
cdef dict _PROTOS, _SETUPS

cdef class MediaLine:
    cdef int port
    cdef bint star, tls

cdef class Said:
    cdef bint accepts, cema
    cdef Connection connection
    cdef object setup
    cdef tuple fingerprints
    cdef list path
    cdef Py_ssize_t lines, path_lines

    @cython.locals(stop=Py_ssize_t, kind=bytes)
    cdef read(self, const unsigned char *body, Py_ssize_t at, Py_ssize_t end)

    @cython.locals(value=bytes)
    cdef _take(self, bytes kind, const unsigned char *body, Py_ssize_t at, Py_ssize_t stop)

    @cython.locals(end=Py_ssize_t)
    cdef _take_path(self, const unsigned char *body, Py_ssize_t at, Py_ssize_t stop)

@cython.locals(stop=Py_ssize_t, name=Py_ssize_t, port=Py_ssize_t, proto=Py_ssize_t,
               formats=Py_ssize_t, star=bint)
cpdef MediaLine parse_media(const unsigned char *body, Py_ssize_t at, Py_ssize_t end)

@cython.locals(said=Said, path=tuple, uri=Uri, problems=list, connection=Connection)
cpdef MsrpSection parse_section(
    bytes body, Py_ssize_t index, Py_ssize_t line, Py_ssize_t begin, Py_ssize_t end,
    MediaLine media, Said common
)

@cython.locals(end=Py_ssize_t)
cpdef Connection parse_connection(const unsigned char *body, Py_ssize_t at, Py_ssize_t stop)

cdef Uri _first_uri(tuple path)

cdef bint _is_too_long(tuple path)

cdef _judge_path(tuple path, Uri uri, Py_ssize_t path_lines, MediaLine media, list problems)

cdef _judge_host(Uri uri, Connection connection, list problems)

cdef bint _is_message(const unsigned char *body, Py_ssize_t begin, Py_ssize_t end)

@cython.locals(number=cython.int, at=Py_ssize_t)
cdef int _port(const unsigned char *body, Py_ssize_t begin, Py_ssize_t end) except? -1

cdef _is_tls(bytes proto)
