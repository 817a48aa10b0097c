# The types with which Cython compiles commands.py; the module runs without them, slower.

cdef class SdpRequest:
    cdef readonly object origin
    cdef readonly str call_id, from_tag
    cdef readonly bytes sdp
    cdef readonly str to_tag, via_branch
    cdef readonly frozenset flags, replace
    cdef readonly str from_interface, to_interface, media_address, address_family
    cdef readonly str transport_protocol
    cdef readonly tuple received_from
    cdef readonly object tos
    cdef readonly str label, metadata, drop_traffic
    cdef readonly bint relay
    cdef readonly str policy, setup, source
    cdef readonly object idle
    cdef readonly bint emergency

    cpdef str sender(self)

cdef class Offer(SdpRequest):
    pass

cdef class Answer(SdpRequest):
    cpdef str sender(self)

cdef class Delete:
    cdef readonly object origin
    cdef readonly str call_id, from_tag, to_tag, via_branch
    cdef readonly frozenset flags
    cdef readonly object delay
    cdef readonly str pending
