# The types with which Cython compiles call.py; the module runs without them, slower.
cimport cython

from .branch cimport Branch

cdef class Call:
    cdef public str call_id
    cdef public double created, signalled
    cdef public dict branches, labels
    cdef public list leaving, past
    cdef public object metadata, expires, final, over, armed, cancel_timer

    @cython.locals(branch=Branch)
    cpdef list sections(self)
    @cython.locals(branch=Branch)
    cpdef list condemned(self)
    @cython.locals(branch=Branch)
    cpdef dialog(self)
    @cython.locals(branch=Branch)
    cpdef branch_of(self, request)
    @cython.locals(branch=Branch)
    cpdef branch_to_answer(self, request)
    @cython.locals(branch=Branch)
    cdef _dialog_of(self, request)
    @cython.locals(branch=Branch)
    cpdef deadline(self)

cpdef earlier(one, other)
