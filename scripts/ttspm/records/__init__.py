"""Graded samples recorded elsewhere, brought into the records table that every analysis takes.

`files` reads rows, one module a format turns them into samples, `groups` gathers the samples of one
model on one benchmark, `build` makes their records, and `entries` does this for a configuration.
"""
