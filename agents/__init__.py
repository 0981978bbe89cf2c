"""Learned agents: training, benchmark and the command line."""
