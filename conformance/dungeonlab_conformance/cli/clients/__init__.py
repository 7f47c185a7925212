"""Commands about clients: they are watched on the wire, and judged by what they send."""
