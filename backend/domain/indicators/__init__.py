"""What traders calculate from bars: TA-Lib's work behind our own names, and what it lacks."""
