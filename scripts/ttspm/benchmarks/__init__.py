"""Benchmarks: where problems come from, and the one table they all become."""
