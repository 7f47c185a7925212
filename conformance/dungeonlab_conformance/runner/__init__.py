"""Plays the selected checks on a target and turns what they found into verdicts."""
