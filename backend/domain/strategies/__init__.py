"""When to be long, short or out: the contract, where strategies are found, and those that are built in."""
