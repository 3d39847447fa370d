"""What the benchmark of jobs is made of: the limits, the peer, ourselves, and what must hold under bad company."""
