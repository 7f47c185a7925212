"""Plays on correct servers, each using some freedom that the protocol leaves: none of them may look faulty."""
