# The compiled core shows what the plain kernel shows.  The classes are others, and are not mixed with the plain ones.

from ctcp_forensics._kernel.plain_belt import Belt as Belt
from ctcp_forensics._kernel.plain_belt import Pile as Pile
from ctcp_forensics._kernel.plain_belt import Turns as Turns
from ctcp_forensics._kernel.plain_decode import Packets as Packets
from ctcp_forensics._kernel.plain_decode import decode as decode
from ctcp_forensics._kernel.plain_match import Matching as Matching
from ctcp_forensics._kernel.plain_match import course as course
from ctcp_forensics._kernel.plain_match import sharing as sharing
from ctcp_forensics._kernel.plain_pick import Picker as Picker
from ctcp_forensics._kernel.plain_track import Tracer as Tracer
from ctcp_forensics._kernel.plain_track import Tracker as Tracker
from ctcp_forensics._kernel.plain_walk import Frames as Frames
from ctcp_forensics._kernel.plain_walk import Interfaces as Interfaces
from ctcp_forensics._kernel.plain_walk import walk_pcap as walk_pcap
from ctcp_forensics._kernel.plain_walk import walk_pcapng as walk_pcapng

NAME: str
