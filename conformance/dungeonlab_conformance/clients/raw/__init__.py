"""Connections that go frame by frame, or byte by byte: malformed data that client libraries refuse to send."""
