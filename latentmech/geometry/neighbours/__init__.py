"""What lies near a word, a token in context or a text, and how far that can be trusted."""
