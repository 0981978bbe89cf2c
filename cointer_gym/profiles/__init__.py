"""Where the profiles of networks come from: operations that count, and the architectures built of them."""
