"""A market made by arithmetic: any bar of it by itself, the same on every machine."""
