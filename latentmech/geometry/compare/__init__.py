"""Two models, level by level."""
