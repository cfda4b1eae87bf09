"""Networks and pictures whose evidence is known, by which maps and what is said of maps are measured."""
