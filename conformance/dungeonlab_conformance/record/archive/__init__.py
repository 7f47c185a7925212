"""The record as JSON, without what is secret, and read back: exactly, or refused."""
