"""What the output head reads at every level, and where states lie between the two tables of tokens."""
