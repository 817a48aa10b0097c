# The types with which Cython compiles description.py; the module runs without them, slower.
cimport cython

from .edit cimport SectionEdit, edit_section
from .lines cimport part
from .section cimport MediaLine, MsrpSection, Said, octets, parse_media, parse_section

cdef class Description:
    cdef readonly bytes body
    cdef readonly tuple sections

    @cython.locals(section=MsrpSection)
    cpdef MsrpSection section(self, index)
    @cython.locals(wanted=list, each=MsrpSection)
    cpdef bytes rewrite(self, edits, head=*)

@cython.locals(lines=list, line=bytes, at=Py_ssize_t, starts=list)
cpdef Description parse(bytes body, Py_ssize_t max_size=*, Py_ssize_t max_sections=*)

@cython.locals(common=Said, found=list, bounds=list, passed=Py_ssize_t, before=Py_ssize_t,
               index=Py_ssize_t, first=Py_ssize_t, last=Py_ssize_t, media=MediaLine,
               begin=Py_ssize_t, section=MsrpSection)
cdef list _sections(bytes body, list lines, list starts)

@cython.locals(parts=list, at=Py_ssize_t, section=MsrpSection)
cdef bytes _rewritten(bytes body, list sections, edits, head)

@cython.locals(starts=list, at=Py_ssize_t)
cdef list _starts(bytes body)
