# The types with which Cython compiles edit.py; the module runs without them, slower.
cimport cython

from ..uri cimport host_port
from .lines cimport as_ended, name_of, part, past_blanks, past_field
from .section cimport MsrpSection

cdef class SectionEdit:
    cdef readonly str policy, family, host
    cdef readonly object port, setup
    cdef readonly str session_id
    cdef readonly bytes fingerprint
    cdef readonly str mark

    cpdef str uri(self, bint tls)

@cython.locals(text=Lines, after_path=Py_ssize_t)
cpdef bytes edit_section(bytes body, MsrpSection section, SectionEdit edit)

cdef class Lines:
    cdef bint _ended
    cdef list lines, names

    @cython.locals(stays=bint, line=bytes, name=bytes)
    cdef _read(self, list lines, policy)

    @cython.locals(first=Py_ssize_t, again=Py_ssize_t)
    cdef put(self, bytes name, bytes text, Py_ssize_t at)

    @cython.locals(at=Py_ssize_t)
    cdef Py_ssize_t _find(self, bytes name, Py_ssize_t start)

    cdef _drop(self, Py_ssize_t at)

    cdef insert(self, bytes name, bytes text, Py_ssize_t at)

    cdef replace(self, Py_ssize_t at, bytes text)

    cdef bint has(self, bytes text)

    @cython.locals(at=Py_ssize_t)
    cdef Py_ssize_t after_title(self)

    @cython.locals(at=Py_ssize_t)
    cdef Py_ssize_t after_path(self)

    cdef bytes joined(self)

cdef bint _dropped(bytes name, policy)

@cython.locals(begin=Py_ssize_t, end=Py_ssize_t)
cdef bytes _with_port(bytes line, Py_ssize_t port)

cdef _move_first_uri(Lines text, SectionEdit edit)
