"""Programs that speak the protocol as clients: correct, odd but correct, and faulty ones, in several stacks."""
