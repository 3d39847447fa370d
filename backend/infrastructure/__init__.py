"""What we run on: adapters that know the domain and nothing else of ours."""
