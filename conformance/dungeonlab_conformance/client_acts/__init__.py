"""Acts for clients: what happens to a client under test, and what becomes of it."""
