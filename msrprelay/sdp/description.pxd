# The types with which Cython compiles description.py; the module runs without them, slower.
cimport cython

from .edit cimport SectionEdit, edit_section
from .lines cimport line_end, lines_in, media_line, part
from .reading cimport MediaLine, Said, parse_media, parse_section
from .msrp_section cimport MsrpSection

cdef class Description:
    cdef readonly bytes body
    cdef readonly tuple sections

    @cython.locals(section=MsrpSection)
    cpdef MsrpSection section(self, index)
    @cython.locals(wanted=list, each=MsrpSection)
    cpdef bytes rewrite(self, edits, head=*)

cpdef Description parse(bytes body, Py_ssize_t max_size=*, Py_ssize_t max_sections=*)

@cython.locals(common=Said, found=list, line=Py_ssize_t, index=Py_ssize_t, begin=Py_ssize_t,
               end=Py_ssize_t, media=MediaLine, section=MsrpSection)
cdef list _sections(bytes body, Py_ssize_t size, Py_ssize_t max_sections)

@cython.locals(parts=list, at=Py_ssize_t, section=MsrpSection)
cdef bytes _rewritten(bytes body, list sections, edits, head)

@cython.locals(starts=list, at=Py_ssize_t)
cdef list _starts(const unsigned char *body, Py_ssize_t size)
