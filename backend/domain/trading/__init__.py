"""How signals become orders, orders fills, and fills a portfolio: one compiled rule set for every kind of run."""
