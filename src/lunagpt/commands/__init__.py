"""What the command line does: one module for each command, and every text it shows in `texts`."""
