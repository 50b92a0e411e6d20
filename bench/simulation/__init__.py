"""Does edgeprof keep its word? Its own rounds, rules and verdicts on machines whose truth is known.

Only the machine is made up. Order, repeats, looks, exclusion, intervals and verdicts are the code that measures
and reports; `recorded` puts a real run of one build under two names in the place of the machine.
"""
