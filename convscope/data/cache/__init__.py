"""Decoded images on disk, for trainings whose images do not fit in memory.

`address` says which images may share pixels, `tables` and `segment` what a file holds, `store`
finds what is there, `writer` adds to it, `space` bounds it, and `source` reads it in batches.
"""
