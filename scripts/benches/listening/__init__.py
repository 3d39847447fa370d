"""What the benchmark of the event streams needs: a crowd that listens, rivals, and a server of ours with its users."""
