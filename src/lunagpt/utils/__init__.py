"""Programs for the keeper of an installation, under the names of the specification."""
