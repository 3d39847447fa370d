"""Tidemark: research, backtest and predict, many users on one installation."""
