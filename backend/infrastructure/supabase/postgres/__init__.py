"""The parts of the embedded Postgres; `embedded_postgres.py` puts them together."""
