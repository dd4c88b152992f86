"""What the machine can do, and programs for the keeper of an installation (`python -m lunagpt.utils.…`)."""
