"""The rules for clients, one file per subject. Importing a file registers its rules."""
