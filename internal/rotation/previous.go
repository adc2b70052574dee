package rotation

// OfPrevious sums up what registries say of the part of the value before that is not in use any more. There must be a value before.
func (s *State) OfPrevious(spec *Spec) (Verdict, Test) {
	changed := s.Previous.Value
	changed.Accounts = nil
	for _, account := range s.Previous.Accounts {
		if !s.has(account.Print) {
			changed.Accounts = append(changed.Accounts, account)
		}
	}
	return s.Of(spec, &changed)
}
