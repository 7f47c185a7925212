"""Correct servers in bad weather: whatever is slow, busy, limited or talkative, none of it may look like a fault."""
