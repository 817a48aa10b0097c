# The types with which Cython compiles branch.py; the module runs without them, slower.
cimport cython

from .legs cimport Ports
from .section cimport Section

cdef class Branch:
    cdef public dict sections
    cdef object _negotiation, _unread, _rules, _watch, _retire, _versions, _pauses
    cdef double _shift
    cdef dict _source_rules
    cdef Ports _ports

    cpdef deadline(self)
    @cython.locals(section=Section)
    cpdef offer(self, double now, request, description, Py_ssize_t room)
    @cython.locals(section=Section, s=Section)
    cpdef answer(self, double now, request, description)
    cpdef release(self, tuple indices)
    cdef _let_go(self, index)
    @cython.locals(section=Section)
    cdef _ask(self, side)
    @cython.locals(section=Section)
    cdef _settle(self, side)
    @cython.locals(section=Section)
    cdef _pause(self, paused)
    @cython.locals(section=Section, edits=dict)
    cdef _offer_edits(self, decision, request, attempt, Py_ssize_t room)
    @cython.locals(section=Section)
    cdef _open(self, change, offerer, sender, request, attempt)
    cdef _other_policy(self, Section section, change, offerer, request)
    cdef _policy(self, request, said, near)
    cdef _ready(self, Section section, change, attempt)
    @cython.locals(section=Section, plans=list)
    cdef _plans(self, decision, request, attempt)
    cdef _source_rule(self, side, request)
    cdef _remember_rule(self, side, request)
    cdef _rewrite(self, request, description, recipient, dict edits)
    cdef _mark(self, request)
    cdef _undo(self, attempt)
