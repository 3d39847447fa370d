"""Commands for operators and researchers. Each module imports what it needs inside its commands: --help stays quick."""
