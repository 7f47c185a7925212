"""Judges servers, at any URL, and clients by the real-time protocol of DungeonLab, over real Socket.IO connections."""
