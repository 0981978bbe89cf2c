"""``python -m cointer_gym.cli`` is the ``cointer-gym`` command."""

from cointer_gym.cli import main

if __name__ == "__main__":
    main()
