"""Figures 2 to 5 of the paper, one module each with a ``draw`` that returns a figure."""
