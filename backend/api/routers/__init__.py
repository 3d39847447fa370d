"""One file per feature's HTTP face: its shapes on top, short endpoints below."""
