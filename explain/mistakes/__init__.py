"""What is wrong with a network's answers, labels and pictures, by what an index holds: arrays in, arrays out."""
