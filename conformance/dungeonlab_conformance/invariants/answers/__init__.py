"""What acknowledgements say, beside what their senders asked for and what others hear. Pure."""
