"""`python -m latentmech.run`."""

from latentmech.run.command_line import main

if __name__ == "__main__":  # a launcher's workers import this file too
    main()
