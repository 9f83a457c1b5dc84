"""latentmech: questions about a latent space, answered with their controls."""
