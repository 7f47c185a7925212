"""Commands about one finding of an earlier result: playing it again, and writing a file that shows it by itself."""
