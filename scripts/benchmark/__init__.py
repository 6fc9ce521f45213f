"""What the bridge costs, measured beside what the least possible would cost: `./scripts/bench` runs it."""
