"""The command line: `kinesphere`."""


def main() -> None:
    """Run the command that the arguments name."""
    from kinesphere.cli.app import app

    app()
