"""Text on its way in and out: files that users name, what is fit to be shown, names that may have been meant."""
