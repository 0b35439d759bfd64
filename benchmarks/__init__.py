"""What Retorno costs, measured and counted: `make bench`. docs/performance.md has the results."""
