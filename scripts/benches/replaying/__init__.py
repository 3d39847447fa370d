"""The limit, the peers and ours on the same bars: SMA 20/50, long only, 0.1 % commission, filled at the next open."""
