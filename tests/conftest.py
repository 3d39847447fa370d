"""What holds for every test."""

from hypothesis import settings

# A busy machine is slow, not wrong: speed is measured elsewhere.
settings.register_profile("tidemark", deadline=None)
settings.load_profile("tidemark")
