"""Rules that hold whatever is played: pure functions from the record to what it breaks."""
