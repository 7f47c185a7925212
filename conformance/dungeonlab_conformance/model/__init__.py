"""The protocol as a pure function: what is so, what is asked, and what must follow. Written from the protocol alone."""
