"""One revision a file: `upgrade()` brings a database from the one before. There is no way down but a backup."""
