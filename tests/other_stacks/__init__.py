"""Other stacks that speak the protocol. ``node/`` holds those for Node.js; `judge` has them judged."""
