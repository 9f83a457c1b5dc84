"""The layer atlas: many tasks at every level of a model, over what the words alone give away."""
