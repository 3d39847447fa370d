"""Shapes that traders see in charts, each known only when its last bar has closed."""
