"""The proof that the suite can say no: the machinery that makes faulty servers, judges them, and measures."""
