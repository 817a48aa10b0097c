# The types with which Cython compiles description.py; the module runs without them, slower.
cimport cython

from .edit cimport edit_section
from .lines cimport part
from .section cimport MediaLine, Said, octets, parse_media, parse_section

@cython.locals(lines=list, line=bytes, at=Py_ssize_t, starts=list)
cpdef parse(bytes body, Py_ssize_t max_size=*, Py_ssize_t max_sections=*)

@cython.locals(common=Said, found=list, bounds=list, passed=Py_ssize_t, before=Py_ssize_t,
               index=Py_ssize_t, first=Py_ssize_t, last=Py_ssize_t, media=MediaLine,
               begin=Py_ssize_t)
cdef list _sections(bytes body, list lines, list starts)

@cython.locals(parts=list, at=Py_ssize_t)
cdef bytes _rewritten(bytes body, list sections, edits, head)

@cython.locals(starts=list, at=Py_ssize_t)
cdef list _starts(bytes body)
