"""Experiments: alternatives of the joint optimum, studies, the benchmark, and the claims that their results carry."""
