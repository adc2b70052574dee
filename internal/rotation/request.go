package rotation

// isAskedAgain reports whether a login of which a registry said nothing good is to be tested again because a person asked for a read after the
// last test: the fault may be corrected at the registry.
func (s *State) isAskedAgain(spec *Spec, account Account) bool {
	test := s.test(spec, account)
	return (test.Verdict != Accepted || test.Silent > 0) && s.attempt(spec, account).Before(s.Reads.RequestTime)
}

// Handled is the request of a person to which there is an answer: the source was asked for it, with or without success, and what it gave was tested once
// more where it was refused before. It reports false while that test is still to come, and where nobody asks: what was handled last stays so.
func (s *State) Handled(spec *Spec) (request string, known bool) {
	r := &s.Reads
	switch {
	case spec.RefreshRequest == "":
		return "", false
	case r.Fault != nil && r.Tried != "":
		return r.Tried, true
	}
	return r.Request, !s.awaitsVerdict(spec)
}

// awaitsVerdict reports whether a registry that refused the latest value is asked again for a person's request: soon, or now, as long as that takes.
// One that wants to be left alone for longer is not waited for.
func (s *State) awaitsVerdict(spec *Spec) bool {
	if !spec.verifies() || spec.Suspended {
		return false
	}
	longest := s.Reads.RequestTime.Add(MinInterval)
	for _, account := range s.latest().Accounts {
		refused := s.test(spec, account).Verdict == Rejected
		if refused && s.isAskedAgain(spec, account) && (s.running(account.Print) || !s.soon(account).After(longest)) {
			return true
		}
	}
	return false
}
