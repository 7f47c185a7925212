"""A server that obeys the real-time protocol of DungeonLab, with nothing else to it."""
