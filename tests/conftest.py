"""What holds for every test."""

import signal

from hypothesis import settings

# A busy machine is slow, not wrong: speed is measured elsewhere.
settings.register_profile("tidemark", deadline=None)
settings.load_profile("tidemark")

# Whoever runs tests in the background may have taken Ctrl-C from them, and from all that they start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
