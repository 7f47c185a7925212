"""Reads along: from bytes to packets, passively. Nothing of it sends, waits, or refuses what is malformed."""
