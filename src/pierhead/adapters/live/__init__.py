"""What a running server is asked by the standard: by one caller, and by two."""
