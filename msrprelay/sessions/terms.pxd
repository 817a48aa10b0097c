# The types with which Cython compiles terms.py; the module runs without them, slower.
cimport cython

from ..commands cimport SdpRequest
from ..sdp.description cimport Description
from ..sdp.edit cimport SectionEdit
from ..sdp.msrp_section cimport MsrpSection
from .legs cimport Leg, new_session_id

cpdef str choose_policy(str wanted, MsrpSection section)

@cython.locals(mine=Leg, theirs=Leg)
cpdef dict choose_legs(SdpRequest request, MsrpSection section, str sender, interfaces, str rule)

cpdef source_rule(SdpRequest request)

@cython.locals(found=set)
cpdef expected_sources(str rule, SdpRequest request, MsrpSection said)

@cython.locals(edit=SectionEdit)
cpdef tuple unserved(SdpRequest request, dict edits)

cpdef str terms(SdpRequest request)

cdef _interface(interfaces, name, family)
