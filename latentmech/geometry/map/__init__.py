"""Maps of a level in two or three dimensions, and how much of the level they keep."""
