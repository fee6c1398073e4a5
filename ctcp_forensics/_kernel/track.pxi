# Packets → flows: sequence space, holes, duplicate ACKs, endings.  The compiled twin of plain_track.py, rule for rule
# and under the same names; the reasons and the RFC sections stand there.
#
# What an ordinary flow needs is one flow_t, laid out in cache lines by who touches them.  What goes wrong (trouble_t,
# hole_t, episode_t) and what IPsec shows (cargo_t, association_t) lives in pools and is named by 32-bit handles; handle
# 0 is *none*.  Element 0 of a pool holds the defaults of a new one, and is what a reader sees where there is none.
# Counters of segments are 32-bit: a direction of more than 4,294,967,295 segments would wrap them.

cdef enum:
    FIN = 0x01  # rows.Tcp
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10
    OPENING = 0x07  # SYN, FIN or RST

    KEY_NONE = 0
    KEY_NEWEST = 1
    KEY_LATE = 2
    KEY_REPEATED = 3

    COPIES_REMEMBERED = 4
    COPY_WINDOW_NS = 50000000
    COPY_WITHOUT_ID_NS = 100000
    FORGOTTEN_NS = 400000000
    REORDER_NS = 3000000
    ID_STEP = 1000
    ESP_WINDOW = 64
    ESP_RUN_STEP = 4096
    WATCHED_RUN = 4
    IKE_PORTS = 0x01F401F4
    STRAY_DISTANCE = 0x4000_0000
    DUP_ACK_FRAMES_KEPT = 8
    IKE_ASKS = 3

    # direction_t.state
    ANCHORED = 0x001
    ISN_KNOWN = 0x002
    KEEP_ALIVE_PENDING = 0x004
    PROBE_PENDING = 0x008
    SENDER_SEEN = 0x010  # TTLs and windows hold
    ID_SEEN = 0x020  # last_ip_id holds
    ACK_SEEN = 0x040  # last_ack_window holds
    HEAD_SEEN = 0x080  # last_head holds
    DATA_SINCE_ACK = 0x100
    WINDOW_OVERRUNS = 0x600  # counted to three
    ONE_OVERRUN = 0x200
    IDS_COUNTED = 0x2000  # some segment had an ID
    IS_ASKED = 0x8000  # its trouble has an open episode, or a hole that no ACK has passed
    HAS_CARGO = 0x4000  # there is a cargo_t; said here, where the segment has to look anyway

    # of it, what is asked of the sender of an ordinary segment and of the other end: `is_calm`
    SENDER_HAS = 0x0011  # ANCHORED | SENDER_SEEN
    SENDER_LACKS = 0x800C  # KEEP_ALIVE_PENDING | PROBE_PENDING | IS_ASKED
    PEER_HAS = 0x0041  # ANCHORED | ACK_SEEN
    PEER_LACKS = 0x8000  # IS_ASKED

    # flow_t.state; the bit of direction 1 stands beside that of direction 0
    WATCHED = 0x01
    CLOCK_RAN_BACK = 0x02
    OPENED_BY_0 = 0x04
    OPENED_BY_1 = 0x08
    SILENCE_BROKEN_BY_0 = 0x10
    SILENCE_BROKEN_BY_1 = 0x20

    CHUNK = 256  # elements of a pool that are allocated together
    LOG_CHUNK = 4096
    SILENCES_KEPT = 1024
    PORT_WORDS = 1024  # a bit for each of 65,536 ports
    GROUP = 16  # packets that each step is made for, before the next step
    LOOKED_AHEAD = 32  # the group that is followed, and the one whose flows were looked up

cdef extern from *:
    const int64_t MID_STREAM "((int64_t)1 << 32)"

if caps.DUP_ACK_FRAMES_KEPT != DUP_ACK_FRAMES_KEPT:
    raise ImportError("the compiled core was built for another DUP_ACK_FRAMES_KEPT")
if caps.IKE_ASKS != IKE_ASKS:
    raise ImportError("the compiled core was built for another IKE_ASKS")
if caps.SILENCES_KEPT != SILENCES_KEPT:
    raise ImportError("the compiled core was built for another SILENCES_KEPT")

cdef uint32_t LIVE_HOLES = caps.LIVE_HOLES
cdef uint32_t HOLES_KEPT = caps.HOLES_KEPT
cdef uint32_t EPISODES_KEPT = caps.EPISODES_KEPT
cdef uint32_t ASSOCIATIONS_KEPT = caps.ASSOCIATIONS_KEPT
cdef uint32_t RESETS_KEPT = caps.RESETS_KEPT
cdef int64_t NEVER = rows.NEVER
cdef int64_t SET_BACK_NS = caps.SET_BACK_NS
cdef int64_t CLOSE_ASK_NS = caps.CLOSE_ASK_NS

include "track_state.pxi"
include "track_ageing.pxi"
include "track_evidence.pxi"
include "track_arrival.pxi"
include "track_segments.pxi"
include "track_holes.pxi"
include "track_acks.pxi"
include "track_payload.pxi"
include "track_rows.pxi"
include "track_pulse.pxi"
include "track_screen.pxi"
include "track_brief.pxi"
include "track_succession.pxi"
include "track_tracker.pxi"
include "track_tracer.pxi"
