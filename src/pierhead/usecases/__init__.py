"""What the platform does: one verb a module, over ports. No I/O."""
