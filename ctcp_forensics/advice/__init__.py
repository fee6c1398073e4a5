"""Advice: what to do about a verdict, in the order that the evidence supports.

Never touches a device: commands are text for a person to read, judge and paste.  Does not know how a verdict was found.
"""

from ctcp_forensics.advice.offers import OFFERS, has_advice, offered, recommend
from ctcp_forensics.advice.step import Recommendation, Situation

__all__ = ["OFFERS", "Recommendation", "Situation", "has_advice", "offered", "recommend"]
