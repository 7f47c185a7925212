"""Writes one file that shows a finding by itself: without the suite, in Python or in JavaScript."""
