"""Providers of market data, each behind the same port: one file, one vendor."""
