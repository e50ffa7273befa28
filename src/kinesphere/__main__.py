"""`python -m kinesphere`."""

from kinesphere.cli import main

if __name__ == "__main__":
    main()
