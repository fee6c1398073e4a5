"""The plot: a time–sequence diagram of a flow's decisive seconds, every place on one clock, for mail and paper.

Reads a report and one of its pictures, and nothing else: last year's report can be drawn without its captures.  The
same report gives the same bytes.
"""

from ctcp_forensics.render.plot.drawing import MAX_LANES, svg

__all__ = ["MAX_LANES", "svg"]
