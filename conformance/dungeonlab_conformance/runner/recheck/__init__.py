"""A run's recording in its result, and the verdicts computed again from that: without a server, from a file alone."""
