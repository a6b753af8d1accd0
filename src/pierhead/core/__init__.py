"""What things are and what is allowed. Standard library only, no I/O; everything else stands on this."""
