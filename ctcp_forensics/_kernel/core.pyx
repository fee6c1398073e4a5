# cython: language_level=3
"""The compiled kernel: bytes → frames → packets → flows, in C structs, without the interpreter.

Six rooms in one module, so that they share structs without a call between them.  The same names and the same
answers as plain_walk, plain_decode, plain_track, plain_match, plain_pick and plain_belt, which are the reference
and say why; nothing here is a Python object until a caller asks for a row.  Speed directives are set where the module is built (setup.py).
"""

import os

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memchr, memcmp, memcpy, memset

from ctcp_forensics._kernel import caps, rows

NAME = "compiled"

include "walk.pxi"
include "decode.pxi"
include "payload.pxi"
include "packets.pxi"
include "track.pxi"
include "match.pxi"
include "sharing.pxi"
include "pick.pxi"
include "turns.pxi"
include "pile.pxi"
include "belt.pxi"
