package rotation

// OfPrevious sums up what registries say of the part of the value before that is not in use any more. There must be a value before.
// That a registry accepted it while it was in use says nothing of it now: whoever rotates may have revoked it with the same step.
func (s *State) OfPrevious(spec *Spec) (Verdict, Test) {
	changed := s.Previous.Value
	changed.Accounts = nil
	for _, account := range s.Previous.Accounts {
		if !s.has(account.Print) {
			changed.Accounts = append(changed.Accounts, account)
		}
	}
	verdict, test := s.Of(spec, &changed)
	if verdict != Accepted {
		return verdict, test
	}
	for _, account := range changed.Accounts {
		if asked := s.test(spec, account); asked.Time.Before(s.Previous.ReplacedTime) {
			return Unknown, asked
		}
	}
	return verdict, test
}
