"""Names: what other rooms take from this one, all at once.  Loaded by the door: see `vantage`."""

from ctcp_forensics.vantage.clock import TO_CLIENT, TO_HEADEND, Piece
from ctcp_forensics.vantage.connection import (
    Author,
    Connection,
    Witness,
    ack_author,
    has_missed,
    loss_of,
    may_have_dropped,
    repeats_since,
    saw_anything,
    shows_bare_segments,
    still_saw_it,
    was_there,
    way_of,
    witnesses,
)
from ctcp_forensics.vantage.crossing import Crossing, Sighting, data_end
from ctcp_forensics.vantage.link import Link
from ctcp_forensics.vantage.location import ALL_THE_WAY, ASA_HEADEND, CLIENT_ASA, LINKS, WITHIN_ASA
from ctcp_forensics.vantage.nature import Between, signs_of_a_box
from ctcp_forensics.vantage.order import Place
from ctcp_forensics.vantage.pairing import share_messages
from ctcp_forensics.vantage.path import Path, paths_of
from ctcp_forensics.vantage.reset import rst_author
from ctcp_forensics.vantage.view import FIREWALL, View

__all__ = [
    "ALL_THE_WAY",
    "ASA_HEADEND",
    "CLIENT_ASA",
    "FIREWALL",
    "LINKS",
    "TO_CLIENT",
    "TO_HEADEND",
    "WITHIN_ASA",
    "Author",
    "Between",
    "Connection",
    "Crossing",
    "Link",
    "Path",
    "Piece",
    "Place",
    "Sighting",
    "View",
    "Witness",
    "ack_author",
    "data_end",
    "has_missed",
    "loss_of",
    "may_have_dropped",
    "paths_of",
    "repeats_since",
    "rst_author",
    "saw_anything",
    "share_messages",
    "shows_bare_segments",
    "signs_of_a_box",
    "still_saw_it",
    "was_there",
    "way_of",
    "witnesses",
]
