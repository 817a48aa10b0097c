# The types with which Cython compiles negotiation.py; the module runs without them, slower.
cimport cython

from .changes cimport exchange_changes, live_sections, offer_changes, other

cdef class Negotiation:
    cdef public object committed
    cdef public bint condemned, ended
    cdef object _offer_timeout
    cdef dict _sides, _pending, _offers, _answers
    cdef bint _forking
    cdef public frozenset unclaimed
    cdef Py_ssize_t _revision

    cpdef answered_tags(self)

    cpdef side_of(self, tag)

    cdef _side_by(self, from_tag, to_tag)

    cdef _offerer(self, from_tag, to_tag)

    cdef _answerable(self, offerer)

    cdef tuple _released(self, set kept)

    cdef _kept(self)

    cdef _live(self)

    cdef _asked(self, side)

    cdef _pending_under(self, tag)

    @cython.locals(tags=list, none_given=bint)
    cdef bint _names_call(self, from_tag, to_tag)

    cdef _know(self, tag, side)

    cdef bint _has_room(self, tag)

    cdef _roll_back(self, side, reason)

    cdef _keep_for_forks(self, exchange)

    cdef _give_up_forks(self)

    cdef _end(self, reason)

cdef _transport_change(dict asked, answered)
