# The types with which Cython compiles bencode.py; the module runs without them, slower.
cimport cython

cdef int MAX_DEPTH, MAX_DIGITS, DICTIONARY, LIST, NUMBER, END, COLON, MINUS, ZERO, NINE

@cython.locals(enclosing=list, items=list, opener=cython.int, pos=Py_ssize_t, end=Py_ssize_t,
               char=cython.int, length=Py_ssize_t, total=cython.longlong, text="const char *")
cpdef tuple decode(bytes data, Py_ssize_t start=*)

@cython.locals(pos=Py_ssize_t, first=Py_ssize_t, negative=bint, total=cython.longlong)
cdef (long long, Py_ssize_t) number(bytes data, Py_ssize_t start, Py_ssize_t end, int stop)

@cython.locals(pairs=dict, index=Py_ssize_t, name=object)
cdef dict dictionary(list items, Py_ssize_t offset)

cdef str new_key(bytes key)

@cython.locals(parts=list)
cpdef bytes encode(object value)

cdef write(object value, list parts)

cdef write_dictionary(dict value, list parts)

@cython.locals(item=object)
cdef write_text(str value, list parts)

@cython.locals(text=bytes, item=bytes)
cdef bytes new_item(str value)

@cython.locals(length=Py_ssize_t)
cdef write_string(bytes value, list parts)

cdef int FEW, REMEMBERED
cdef list PREFIXES
cdef bytes ZERO_ITEM
cdef dict KEYS, ITEMS
