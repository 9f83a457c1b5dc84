"""What a model would say in a state on the way from one context's to another's."""
