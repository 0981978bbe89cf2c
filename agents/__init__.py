"""Training, benchmark and command line; the only part that needs torch and stable-baselines3."""
