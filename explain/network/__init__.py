"""A network: what runs, what each layer is and costs, what its units see, where it comes from."""
