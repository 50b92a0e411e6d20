"""Documents that a person writes for a report: limits and reviews, strictly read into frozen structs."""
