"""What we know: tables and, later, market data."""
