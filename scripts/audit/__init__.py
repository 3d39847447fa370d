"""What `./scripts/test audit` looks at: what we depend on, and what must not stand in files, history and logs."""
