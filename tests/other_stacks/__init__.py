"""Other stacks that speak the protocol. ``node/`` holds those for Node.js; `judging` has them judged."""
