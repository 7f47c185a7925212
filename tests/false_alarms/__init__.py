"""Correct servers under adverse conditions: a server that is slow, busy or limited must not look faulty."""
