"""Learning algorithms: their entries, settings, trainings and run folders; the only part that needs torch."""
