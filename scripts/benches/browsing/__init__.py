"""What `./scripts/bench web` does in Chromium, one script for each part; each prints its figures as lines of JSON."""
