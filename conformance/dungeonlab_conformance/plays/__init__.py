"""Plays that nobody wrote: acts put together by a covering set or by a search, carried out, and judged by the model."""
