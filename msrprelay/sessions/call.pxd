# The types with which Cython compiles call.py; the module runs without them, slower.
cimport cython

from ..commands cimport SdpRequest
from ..offer_answer.negotiation cimport Negotiation
from .branch cimport Branch
from .section cimport Section

cdef class Call:
    cdef public str call_id
    cdef public double created, signalled
    cdef public dict branches, labels, left
    cdef public list leaving, past
    cdef public object metadata, expires, final, over, armed, cancel_timer

    cpdef enter(self, key, Branch branch)
    cpdef Branch leave(self, key)
    cpdef list meant(self, via_branch)
    cpdef list unanswered(self)
    @cython.locals(branch=Branch)
    cpdef list sections(self)
    @cython.locals(branch=Branch)
    cpdef list condemned(self)
    @cython.locals(branch=Branch)
    cpdef dialog(self)
    @cython.locals(branch=Branch)
    cpdef branch_of(self, SdpRequest request)
    @cython.locals(branch=Branch, said=Negotiation)
    cpdef branch_to_answer(self, SdpRequest request)
    @cython.locals(branch=Branch, said=Negotiation)
    cdef _dialog_of(self, SdpRequest request)
    @cython.locals(branch=Branch, section=Section)
    cpdef bint spent(self) except -1
    @cython.locals(branch=Branch)
    cpdef deadline(self)

cpdef earlier(one, other)
