"""Who is measured by the benchmark of sweeps."""
