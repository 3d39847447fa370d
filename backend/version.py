"""The version of Tidemark, said once."""

VERSION = "0.1.0"
