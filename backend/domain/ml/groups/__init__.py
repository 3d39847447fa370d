"""What models see, by group: each says its features and fills their columns."""
