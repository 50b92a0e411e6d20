"""Evidence: run files, plan, reports and their hashes in one archive, and the check that nothing in it was touched."""
