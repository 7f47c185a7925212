"""What was read along between clients and a server: packets, in the order in which they were seen."""
