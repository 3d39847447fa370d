"""The replay engine: bars and signals in, fills, trades and equity out."""
