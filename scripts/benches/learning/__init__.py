"""The parts of the benchmark of learning."""
