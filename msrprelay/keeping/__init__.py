"""Two processes: a keeper that holds what must outlive the relay process, and the link to it."""
