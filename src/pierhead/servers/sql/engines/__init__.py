"""One module per engine, behind one protocol (engine.py)."""
