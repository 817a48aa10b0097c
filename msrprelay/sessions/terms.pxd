# The types with which Cython compiles terms.py; the module runs without them, slower.
cimport cython

from ..sdp.description cimport Description
from ..sdp.edit cimport SectionEdit
from ..sdp.section cimport MsrpSection
from .legs cimport Leg, new_session_id

cpdef str choose_policy(str wanted, MsrpSection section)

@cython.locals(mine=Leg, theirs=Leg)
cpdef dict choose_legs(request, MsrpSection section, str sender, interfaces, str rule)

cpdef source_rule(request)

@cython.locals(found=set)
cpdef expected_sources(str rule, request, MsrpSection said)

cpdef choose_head(request, SectionEdit edit)

cpdef tuple unserved(request)

cpdef str terms(request)

cdef _interface(interfaces, name, family)
