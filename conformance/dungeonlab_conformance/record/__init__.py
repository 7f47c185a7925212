"""What was observed in a run: requests, answers, deliveries, in order. Judges nothing."""
