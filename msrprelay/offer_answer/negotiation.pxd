# The types with which Cython compiles negotiation.py; the module runs without them, slower.
cimport cython

from ..sdp.description cimport Description
from ..sdp.msrp_section cimport MsrpSection
from .changes cimport Exchange, exchange_changes, live_sections, offer_changes, other
from .decisions cimport Committed, Ended, Message, Offered

cdef class Negotiation:
    cdef public Exchange committed
    cdef public bint condemned, ended
    cdef object _offer_timeout
    cdef dict _sides, _pending, _offers, _answers
    cdef bint _forking
    cdef public frozenset unclaimed
    cdef Py_ssize_t _revision

    @cython.locals(offer=Message, answer=Message)
    cpdef tuple answered_tags(self)

    cpdef side_of(self, tag)

    cdef _side_by(self, from_tag, to_tag)

    cdef _offerer(self, from_tag, to_tag)

    @cython.locals(message=Message)
    cpdef pending(self, side)

    @cython.locals(times=list, message=Message, first=Message)
    cpdef deadline(self)

    @cython.locals(message=Message, before=Message)
    cpdef offer(self, double now, Description description, str from_tag, to_tag=*, str terms=*)

    @cython.locals(message=Message, pending=Message, last=Message, offered=Description, asked=dict,
                   exchange=Exchange, kept=set)
    cpdef answer(self, double now, Description description, str from_tag, str to_tag, str terms=*)

    cpdef apply(self, decision, bytes reply)

    cdef _apply_offer(self, Offered decision, Message message)

    cdef _apply_answer(self, Committed decision, Message message)

    cpdef delete(self, from_tag=*, to_tag=*, bint forgiving=*)

    @cython.locals(message=Message)
    cdef Description _answerable(self, offerer)

    cdef tuple _released(self, set kept)

    cdef _kept(self)

    cdef _live(self)

    @cython.locals(message=Message)
    cdef _asked(self, side)

    @cython.locals(message=Message)
    cdef _pending_under(self, tag)

    @cython.locals(tags=list, none_given=bint, message=Message)
    cdef bint _names_call(self, from_tag, to_tag)

    cdef _know(self, tag, side)

    cdef bint _has_room(self, tag)

    cdef _roll_back(self, side, reason)

    @cython.locals(message=Message, asked=dict)
    cdef _keep_for_forks(self, Exchange exchange)

    cdef _give_up_forks(self)

    cdef _end(self, reason)

@cython.locals(mine=MsrpSection, theirs=MsrpSection)
cdef _transport_change(dict asked, Description answered)
