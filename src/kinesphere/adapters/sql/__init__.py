"""What the SQL ledger is made of: tables, connections, transactions, the writer, and readings."""
