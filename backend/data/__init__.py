"""What we know: tables, market data, and when markets are open."""
