"""How a server's names, arguments and answers differ from the protocol's, and the translation both ways."""
