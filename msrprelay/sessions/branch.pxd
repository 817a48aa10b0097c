# The types with which Cython compiles branch.py; the module runs without them, slower.
cimport cython

from ..commands cimport Answer, Offer, SdpRequest
from ..offer_answer.changes cimport SectionChange, other
from ..offer_answer.decisions cimport Committed, Offered
from ..offer_answer.negotiation cimport Negotiation
from ..sdp.description cimport Description
from ..sdp.edit cimport SectionEdit
from ..sdp.msrp_section cimport MsrpSection
from .legs cimport Leg, Ports
from .plan cimport Plan, described
from .rewritten cimport Rewritten, repeated
from .section cimport Section
from .session_level cimport SessionLevel
from .terms cimport (choose_legs, choose_policy, expected_sources, source_rule, terms, unserved)

cdef class Attempt:
    cdef readonly list opened, renewed, expected

cdef class Branch:
    cdef public dict sections
    cdef Negotiation _negotiation
    cdef object _unread, _rules, _watch, _retire, _pauses
    cdef SessionLevel _level
    cdef double _shift
    cdef dict _source_rules
    cdef Ports _ports

    cpdef Negotiation negotiation(self)
    cpdef deadline(self)
    cpdef Rewritten offer(self, double now, Offer request, Description description, Py_ssize_t room)
    @cython.locals(section=Section, attempt=Attempt)
    cdef Rewritten _take_offer(self, Offered decision, Offer request, Description description,
                               Py_ssize_t room)
    cpdef Rewritten answer(self, double now, Answer request, Description description)
    @cython.locals(section=Section, attempt=Attempt, plan=Plan, change=SectionChange, plans=list,
                   edits=dict, denied=list, unresolved=list)
    cdef Rewritten _take_answer(self, Committed decision, Answer request, Description description)
    @cython.locals(section=Section)
    cdef _know_address(self, side)
    cpdef release(self, tuple indices)
    cdef _let_go(self, index)
    @cython.locals(section=Section)
    cdef _ask(self, side)
    @cython.locals(section=Section)
    cdef _settle(self, side)
    @cython.locals(section=Section)
    cdef _pause(self, paused)
    @cython.locals(section=Section, change=SectionChange, edits=dict)
    cdef dict _offer_edits(self, Offered decision, SdpRequest request, Attempt attempt,
                           Py_ssize_t room)
    @cython.locals(section=Section, said=MsrpSection, legs=dict)
    cdef Section _open(self, SectionChange change, str offerer, str sender, SdpRequest request,
                       Attempt attempt)
    cdef _other_policy(self, Section section, SectionChange change, str offerer, SdpRequest request)
    cdef _policy(self, SdpRequest request, MsrpSection said, Leg near)
    cdef _ready(self, Section section, SectionChange change, Attempt attempt)
    @cython.locals(section=Section, change=SectionChange, plan=Plan, plans=list)
    cdef list _plans(self, Committed decision, SdpRequest request, Attempt attempt)
    cdef _source_rule(self, side, SdpRequest request)
    cdef _remember_rule(self, side, SdpRequest request)
    cdef _mark(self, SdpRequest request)
    @cython.locals(section=Section)
    cdef _undo(self, Attempt attempt)

cpdef pauses(SdpRequest request, before)
