"""The contract with machines: schemas of events and answers, and documents, all made of the types."""
