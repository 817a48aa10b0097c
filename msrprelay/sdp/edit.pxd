# The types with which Cython compiles edit.py; the module runs without them, slower.
cimport cython

from ..net.uri cimport bracketed, host_port
from .lines cimport colon, kind_of, line_end, part, past_blanks, past_field
from .msrp_section cimport MsrpSection

cdef int LF, CR, EQUALS, LOWER_I

cdef class SectionEdit:
    cdef readonly str policy, family, host
    cdef readonly int port
    cdef readonly object setup
    cdef readonly str session_id
    cdef readonly bytes fingerprint
    cdef readonly str mark

    cpdef str uri(self, bint tls)

@cython.locals(rewriting=Rewriting)
cpdef bytes edit_section(bytes body, MsrpSection section, SectionEdit edit)

cdef class Rewriting:
    cdef SectionEdit _edit
    cdef bytes _connection, _eol, _fingerprint, _mark, _missing, _path, _section, _setup
    cdef bint _moves_uri
    cdef list _parts
    cdef Py_ssize_t _path_parts, _title_parts, _written

    @cython.locals(edit=SectionEdit)
    cdef prepare(self, bint tls)

    cdef bytes text(self)

    @cython.locals(section=cython.p_const_uchar, end=Py_ssize_t, stop=Py_ssize_t,
                   begin=Py_ssize_t, at=Py_ssize_t)
    cdef Py_ssize_t _take_title(self) except -1

    @cython.locals(section=cython.p_const_uchar, end=Py_ssize_t, stop=Py_ssize_t)
    cdef _take(self, Py_ssize_t at)

    cdef _take_line(self, bytes kind, Py_ssize_t at, Py_ssize_t stop)

    cdef _take_path(self, Py_ssize_t at, Py_ssize_t stop)

    @cython.locals(section=cython.p_const_uchar, edit=SectionEdit, begin=Py_ssize_t,
                   first=Py_ssize_t, last=Py_ssize_t)
    cdef _move_uri(self, Py_ssize_t at, Py_ssize_t stop)

    cdef bytes _say(self, bytes line, Py_ssize_t at, Py_ssize_t stop)

    cdef _add(self, bytes line, Py_ssize_t parts)

    cdef _put(self, Py_ssize_t begin, Py_ssize_t end, bytes text)

    cdef _drop(self, Py_ssize_t at, Py_ssize_t stop)

    cdef _write(self, Py_ssize_t end)

cdef Py_ssize_t _text_end(const unsigned char *section, Py_ssize_t stop)

cdef bint _leads_past(bytes kind, policy)
