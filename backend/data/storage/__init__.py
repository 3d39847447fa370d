"""One file per feature's tables: one method, one statement, its text beside its use."""
