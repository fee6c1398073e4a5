"""Fuzzing: captures made wrong on purpose, through the whole path from bytes to rendered reports.

`seeds` makes captures, `layers` and `mutate` spoil them, `path` sends them through every room and
`campaign` does that for as long as it is told to.  `run` builds the core with the compiler's
sanitizers first.  `many` sends very many small inputs to one of the `targets`: the kernel, two hands and their belt,
whole analyses, archives, stored reports, stores.  No capture is kept here: seeds are made, or read where they lie.
"""
