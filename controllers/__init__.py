"""One file per controller: each decides purely (`plan`), client.runtime acts. `main` runs them."""
