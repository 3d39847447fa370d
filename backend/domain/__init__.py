"""The pure heart: meanings, rules and ports, with no input, output or awaiting of its own."""
