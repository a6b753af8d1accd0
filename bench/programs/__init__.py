"""The programs that are measured and are not ours as shipped: floors, peers and a relay without governance."""
