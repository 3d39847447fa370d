"""What holds for every test."""

import signal

from hypothesis import settings

# A busy machine is slow, not wrong: speed is measured elsewhere. Each run draws the same examples, so that it says
# something about the change and not about luck. `-- --hypothesis-profile=searching` looks further.
settings.register_profile("tidemark", deadline=None, derandomize=True)
settings.register_profile("searching", deadline=None, print_blob=True)
settings.load_profile("tidemark")

# Whoever runs tests in the background may have taken Ctrl-C from them, and from all that they start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
