"""Archive: many captures swept, each judged by itself, and what became of every one of them written down.

Knows files, processes and a store that outlives both.  Does not know how a capture is read or judged: see pipeline.
"""
