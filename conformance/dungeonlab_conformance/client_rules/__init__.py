"""Rules for clients: pure functions from what was seen of clients to what they keep and break."""
