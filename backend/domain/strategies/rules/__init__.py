"""Strategies without code: conditions as a tree of JSON, checked and turned into signals. None of it is ever run."""
