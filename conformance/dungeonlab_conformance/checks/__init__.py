"""The scenes, one file per area of requirements. Importing a file registers its checks."""
