"""How much does it pay to generate again: the library behind the workflow's scripts."""
