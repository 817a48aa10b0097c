# The types with which Cython compiles plan.py; the module runs without them, slower.
cimport cython

from ..offer_answer.changes cimport SectionChange, other
from ..sdp.msrp_section cimport MsrpSection
from .legs cimport Leg, octets

cdef class Plan:
    cdef readonly Leg near
    cdef readonly object setup, a, b
    cdef readonly tuple unresolved, denied

@cython.locals(offered=MsrpSection, answered=MsrpSection, said=MsrpSection, answers=dict,
               unresolved=list, denied=list)
cpdef Plan make_plan(SectionChange change, str offerer, str policy, told, dialling, dict allowed,
                     Leg near, bytes own_uri)

cpdef MsrpSection described(SectionChange change, str side)

@cython.locals(said=MsrpSection)
cpdef tuple path_said(SectionChange change, str side)

cpdef tuple dial_target(MsrpSection said, role, dialling)

cpdef tuple choose_roles(str policy, MsrpSection offered, MsrpSection answered, told)

cdef bint _lacks_setup(MsrpSection said)

cdef bint _splices(MsrpSection answered, role, setup)
