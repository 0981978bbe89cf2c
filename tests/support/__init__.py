"""What several test files share: small scenarios, oracles, ways to play tasks, and the contract of an environment."""
