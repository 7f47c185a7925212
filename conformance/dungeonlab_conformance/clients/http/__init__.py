"""HTTP: the client, the users of the protocol's section 16, and generated requests."""
