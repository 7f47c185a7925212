"""Judges any server URL against the real-time protocol of DungeonLab, over a real Socket.IO connection."""
