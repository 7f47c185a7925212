"""Commands about single findings: playing one again, writing a file that shows it by itself, searching for more."""
