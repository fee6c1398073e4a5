"""Speed, measured in the open: generated captures, and peers run beside ours on the same files."""
