"""The simulation study: samples drawn with known p_x, and every estimator run on them."""
