# The types with which Cython compiles changes.py; the module runs without them, slower.
cimport cython

cdef frozenset _NEITHER, _ONLY_A, _ONLY_B, _BOTH

cpdef dict live_sections(description)

cpdef str other(str side)

@cython.locals(changes=list, moves=bint)
cpdef tuple offer_changes(committed, str side, dict wanted)

@cython.locals(changes=list, a_moves=bint, b_moves=bint)
cpdef tuple exchange_changes(before, after, dict asked)

cdef list _either(dict wanted, committed)

cdef _section(exchange, str side, index)

cdef _change(old, new, bint moved)

cdef bint _moved(old, new)

cdef frozenset _sides(bint a, bint b)
