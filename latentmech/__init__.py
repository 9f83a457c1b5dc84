"""latentmech: questions about a latent space, answered with their controls."""

import os

# PyTorch's own switch for large pages on Linux, read at its first large allocation: levels of gigabytes come and go
# here, and touching new memory in small pages took as long as the arithmetic. One's own setting stands.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
