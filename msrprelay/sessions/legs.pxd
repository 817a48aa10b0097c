# The types with which Cython compiles legs.py; the module runs without them, slower.
cimport cython

from ..net.ports cimport PortPool
from ..net.uri cimport host_port

cdef class Leg:
    cdef readonly object interface
    cdef readonly str host
    cdef readonly object port
    cdef readonly str session_id
    cdef readonly tuple peer_path
    cdef readonly object sources

    cpdef Leg at(self, port)
    cpdef Leg told(self, str host)
    cpdef Leg facing(self, tuple path, sources)
    cpdef str uri(self)
    cpdef listen(self)

cdef class Ports:
    cdef object _dataplane, _new_pool, _clock, _ledger
    cdef tuple _interfaces
    cdef dict _pools

    @cython.locals(leg=Leg)
    cpdef free(self, dict legs)
    cdef Leg _lease(self, Leg leg)
    cdef PortPool _pool(self, Leg leg)
    @cython.locals(taken=Leg)
    cdef _listen_somewhere(self, policy, dict leased, tos, idle_seconds)
    @cython.locals(a=Leg, b=Leg)
    cdef _listen(self, policy, dict legs, tos, idle_seconds)

cpdef str new_session_id()

@cython.locals(uri=str)
cpdef list octets(tuple path)
