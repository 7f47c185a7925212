"""Payloads of requests: valid, invalid and generated."""
