package landlock

// Try makes a ruleset that handles just these and closes nothing.
func Try(fs, net, scopes uint64) (int, error) {
	return createRuleset(&rulesetAttr{fs, net, scopes}, 0)
}
