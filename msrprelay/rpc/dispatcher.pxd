# The types with which Cython compiles dispatcher.py; the module runs without them, slower.
cimport cython

from .flags cimport word
from .requests cimport check_identifiers

cdef class Outcome:
    cdef readonly dict reply
    cdef readonly bint lasting

cdef class Dispatcher:
    cdef object _commands, _unknown_flags
    cdef Py_ssize_t _longest_identifier
    cdef public Py_ssize_t long_identifiers
    cdef public object counts

    @cython.locals(outcome=Outcome)
    cpdef Outcome perform(self, str name, fields, origin, table=*)
    @cython.locals(reply=dict)
    cdef Outcome _run(self, str name, command, fields, origin)
    cdef _read(self, command, fields, origin)
    cdef _note_unknown(self, flags, call_id)
