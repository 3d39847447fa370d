"""HTTP in; JSON out: the doors of the house and what is checked at each."""
