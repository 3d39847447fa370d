"""The strategies that Tidemark brings: a file for each, called as the strategy is."""
