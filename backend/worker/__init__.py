"""The other way in: jobs instead of requests."""
